// SPDX-License-Identifier: Apache-2.0
// The program in this binary: loaded with maps of its own, or on those that there are.
#include <balancer.skel.h>
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

#include "adapters/bpf/balancer_maps.hpp"
#include "adapters/bpf/libbpf_log.hpp"
#include "adapters/bpf/pinned_object.hpp"
#include "adapters/bpf/program_loader.hpp"

namespace phalanx::adapters {
namespace {

constexpr std::string_view kWhat = "the packet path";

struct DestroySkeleton {
  void operator()(balancer_bpf* skeleton) const { balancer_bpf::destroy(skeleton); }
};
using Skeleton = std::unique_ptr<balancer_bpf, DestroySkeleton>;

Result<Skeleton> open_skeleton() {
  const LibbpfLog log;
  Skeleton skeleton(balancer_bpf::open());
  if (!skeleton) {
    return fail(
        fmt::format("open {} in this binary: {}; {}", kWhat, describe_errno(errno), log.last_warning()));
  }
  // libbpf has sections of static variables for nobody but the program.
  ::bpf_map__set_map_flags(skeleton->maps.data_liveness, BPF_F_MMAPABLE);
  return skeleton;
}

void set_sizes(balancer_bpf& skeleton, const core::Limits& limits) {
  ::bpf_map__set_max_entries(skeleton.maps.vips, limits.services * PHX_VIPS_PER_SERVICE);
  ::bpf_map__set_max_entries(skeleton.maps.services, limits.services);
  ::bpf_map__set_max_entries(skeleton.maps.slots, limits.slots);
  ::bpf_map__set_max_entries(skeleton.maps.backends, limits.backends);
  ::bpf_map__set_max_entries(skeleton.maps.backend_status, limits.backends);
  ::bpf_map__set_max_entries(skeleton.maps.service_traffic, limits.services);
  ::bpf_map__set_max_entries(skeleton.maps.backend_traffic, limits.backends);
  ::bpf_map__set_max_entries(skeleton.maps.flows, phx_flow_sets(limits.flows));
  ::bpf_map__set_max_entries(skeleton.maps.nat_sources, limits.backends * PHX_NAT_SOURCES_PER_BACKEND);
  ::bpf_map__set_max_entries(skeleton.maps.fragments, limits.fragments);
  ::bpf_map__set_max_entries(skeleton.maps.state, state_pages(limits));
}

void set_constants(balancer_bpf& skeleton, std::uint32_t flow_sets, PathSettings settings) {
  skeleton.rodata->flow_sets = flow_sets;
  skeleton.rodata->with_nat = settings.nat ? 1 : 0;
  skeleton.rodata->with_agent = settings.agent ? 1 : 0;
}

// The section of a variable is a map too, named after it.
const char* name_in_object(const char* name) {
  return std::string_view(name) == "liveness" ? ".data.liveness" : name;
}

Result<void> keep(int fd, Descriptor& member) {
  Result<Descriptor> copy = duplicate(fd);
  if (!copy) {
    return Failure(copy.error());
  }
  member = std::move(*copy);
  return {};
}

Result<void> keep_programs(const balancer_bpf& skeleton, PathProgram& program) {
  Result<void> kept = keep(::bpf_program__fd(skeleton.progs.phalanx_xdp), program.descriptor);
  return kept ? keep(::bpf_program__fd(skeleton.progs.phalanx_watch), program.watch) : kept;
}

}  // namespace

Result<BalancerMaps> BalancerMaps::create(const PinDirectory& directory, const core::Limits& limits,
                                          PathSettings settings) {
  PHX_CHECK(directory.locked());
  const Result<Pinned> pinned = inspect(directory);
  if (!pinned) {
    return Failure(pinned.error());
  }
  if (*pinned == Pinned::complete) {
    return fail(fmt::format("load {} at {}: one is loaded there already; adopt it, or take it down first",
                            kWhat, directory.path()));
  }
  if (const Result<void> removed = directory.remove_pins(); !removed) {
    return Failure(removed.error());
  }
  Result<BalancerMaps> maps = load_fresh(directory, limits, settings);
  if (!maps) {
    return maps;
  }
  if (const Result<void> pinned_all = maps->pin_all(directory); !pinned_all) {
    // Its own failure would only say again that pins can't be touched.
    static_cast<void>(directory.remove_pins());
    return Failure(pinned_all.error());
  }
  return maps;
}

Result<BalancerMaps> BalancerMaps::load_fresh(const PinDirectory& directory, const core::Limits& limits,
                                              PathSettings settings) {
  const Result<Skeleton> skeleton = open_skeleton();
  if (!skeleton) {
    return Failure(skeleton.error());
  }
  set_sizes(**skeleton, limits);
  set_constants(**skeleton, phx_flow_sets(limits.flows), settings);
  if (const Result<void> loaded = load_object((*skeleton)->obj, (*skeleton)->progs.phalanx_xdp, kWhat);
      !loaded) {
    return Failure(loaded.error());
  }
  BalancerMaps maps(directory.path());
  maps.program_.settings = settings;
  if (const Result<void> kept = keep_programs(**skeleton, maps.program_); !kept) {
    return Failure(kept.error());
  }
  for (std::size_t i = 0; i < kMapCount; ++i) {
    const int fd = ::bpf_object__find_map_fd_by_name((*skeleton)->obj, name_in_object(kMapNames[i]));
    if (const Result<void> kept = keep(fd, maps.maps_[i]); !kept) {
      return Failure(kept.error());
    }
  }
  Result<void> mapped = maps.map_state(Access::read_write);
  if (mapped) {
    mapped = maps.map_arrays(Access::read_write);
  }
  if (!mapped) {
    return Failure(mapped.error());
  }
  phx_state_header* header = maps.header();
  header->layout_version = PHX_LAYOUT_VERSION;
  header->copy_pages = state_copy_pages(limits);
  header->writer_pid = static_cast<std::uint32_t>(::getpid());
  return maps;
}

Result<void> BalancerMaps::load_on_maps(balancer_bpf& skeleton) const {
  for (std::size_t i = 0; i < kMapCount; ++i) {
    bpf_map* map = ::bpf_object__find_map_by_name(skeleton.obj, name_in_object(kMapNames[i]));
    if (maps_[i].valid() && ::bpf_map__reuse_fd(map, maps_[i].get()) != 0) {
      return fail(fmt::format("load {} on the maps in {}: {}", kWhat, where_, describe_errno(errno)));
    }
  }
  return load_object(skeleton.obj, skeleton.progs.phalanx_xdp, kWhat);
}

Result<PathProgram> BalancerMaps::load_program(PathSettings settings) const {
  const Result<Skeleton> skeleton = open_skeleton();
  if (!skeleton) {
    return Failure(skeleton.error());
  }
  set_constants(**skeleton, flows_.size(), settings);
  if (const Result<void> loaded = load_on_maps(**skeleton); !loaded) {
    return Failure(loaded.error());
  }
  PathProgram program{.descriptor = {}, .watch = {}, .settings = settings};
  if (const Result<void> kept = keep_programs(**skeleton, program); !kept) {
    return Failure(kept.error());
  }
  return program;
}

// A program is the only way to have maps made that hold what the kernel must know the type of, such as a
// timer. All that such maps are has one size, which the object says.
Result<void> BalancerMaps::make_missing_maps() {
  const Result<Skeleton> skeleton = open_skeleton();
  if (!skeleton) {
    return Failure(skeleton.error());
  }
  if (const Result<void> loaded = load_on_maps(**skeleton); !loaded) {
    return Failure(loaded.error());
  }
  for (std::size_t i = 0; i < kMapCount; ++i) {
    if (maps_[i].valid()) {
      continue;
    }
    const int fd = ::bpf_object__find_map_fd_by_name((*skeleton)->obj, name_in_object(kMapNames[i]));
    if (const Result<void> kept = keep(fd, maps_[i]); !kept) {
      return Failure(kept.error());
    }
    made_.push_back(static_cast<MapIndex>(i));
  }
  return {};
}

Result<void> BalancerMaps::watch_liveness() {
  PHX_CHECK(program_.watch.valid());
  std::array<char, 64> frame{};
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = frame.size();
  options.repeat = 1;
  if (::bpf_prog_test_run_opts(program_.watch.get(), &options) != 0) {
    return fail(fmt::format("start the timer that watches the daemon's liveness: {}", describe_errno(errno)));
  }
  if (options.retval != XDP_PASS) {
    return fail("start the timer that watches the daemon's liveness: the kernel refuses it");
  }
  return {};
}

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
// Making the pins, and opening them again.
#include <balancer.skel.h>
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <utility>

#include "adapters/bpf/balancer_maps.hpp"
#include "adapters/bpf/libbpf_log.hpp"
#include "adapters/bpf/pin_names.hpp"
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
  return skeleton;
}

std::uint32_t state_pages(const core::Limits& limits) {
  return 1 + 2 * state_copy_pages(limits);
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
}

Result<BalancerMaps::Pinned> read_magic(const PinDirectory& directory) {
  const Result<Descriptor> map = open_pin(directory.pin(kStatePin), PinAccess::read_only);
  if (!map) {
    return Failure(map.error());
  }
  const Result<MapShape> shape = map_shape(map->get());
  if (!shape) {
    return Failure(shape.error());
  }
  if (shape->value_size != PHX_STATE_PAGE) {
    return fail(fmt::format("{} holds a map \"state\" that is not Phalanx's; choose another --pin-dir",
                            directory.path()));
  }
  std::array<char, PHX_STATE_PAGE> page{};
  const std::uint32_t first = 0;
  if (::bpf_map_lookup_elem(map->get(), &first, page.data()) != 0) {
    return fail(fmt::format("read {}: {}", directory.pin(kStatePin), describe_errno(errno)));
  }
  phx_state_header header{};
  std::memcpy(&header, page.data(), sizeof(header));
  return header.magic == PHX_STATE_MAGIC ? BalancerMaps::Pinned::complete : BalancerMaps::Pinned::half_made;
}

Result<void> keep(int fd, Descriptor& member) {
  Result<Descriptor> copy = duplicate(fd);
  if (!copy) {
    return Failure(copy.error());
  }
  member = std::move(*copy);
  return {};
}

template <typename Row>
Result<void> map_rows(int map, const char* name, bool writable, MappedArray<Row>& array) {
  const Result<MapShape> shape = map_shape(map);
  if (!shape) {
    return Failure(shape.error());
  }
  if (shape->value_size != sizeof(Row)) {
    return fail(fmt::format("the pinned map \"{}\" has rows of {} bytes and this binary wants {}", name,
                            shape->value_size, sizeof(Row)));
  }
  array = MappedArray<Row>::map(map, shape->rows, writable);
  if (!array.valid()) {
    return fail(fmt::format("map the BPF map \"{}\" into memory: {}", name, describe_errno(errno)));
  }
  return {};
}

}  // namespace

const std::array<const char*, BalancerMaps::kMapCount> BalancerMaps::kMapNames = {
    "state",      "vips",           "vip_filter",      "vip_cache",       "services", "slots",
    "backends",   "backend_status", "service_traffic", "backend_traffic", "flows",    "nat_sources",
    "interfaces", "fragments",      "answers",         "counters"};

Result<BalancerMaps::Pinned> BalancerMaps::inspect(const PinDirectory& directory) {
  if (directory.has("agent_vips")) {
    return fail(fmt::format("{} is phalanx-agent's; choose another --pin-dir", directory.path()));
  }
  if (directory.has(kStatePin)) {
    return read_magic(directory);
  }
  // Taking down, too, may have been cut short.
  const bool rest = !directory.linked_interfaces().empty() ||
                    std::any_of(std::begin(kPinNames), std::end(kPinNames),
                                [&](std::string_view name) { return directory.has(name); });
  return rest ? Pinned::half_made : Pinned::nothing;
}

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
  if (const Result<void> kept =
          keep(::bpf_program__fd((*skeleton)->progs.phalanx_xdp), maps.program_.descriptor);
      !kept) {
    return Failure(kept.error());
  }
  for (std::size_t i = 0; i < kMapCount; ++i) {
    const int fd = ::bpf_object__find_map_fd_by_name((*skeleton)->obj, kMapNames[i]);
    if (const Result<void> kept = keep(fd, maps.maps_[i]); !kept) {
      return Failure(kept.error());
    }
  }
  Result<void> mapped = maps.map_arrays(Access::read_write);
  if (mapped) {
    mapped = map_rows(maps.map(kState), kMapNames[kState], true, maps.state_);
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

Result<void> BalancerMaps::pin_all(const PinDirectory& directory) const {
  for (std::size_t i = 0; i < kMapCount; ++i) {
    if (Result<void> pinned = pin_object(maps_[i].get(), directory.pin(kMapNames[i])); !pinned) {
      return pinned;
    }
  }
  return pin_object(program_.descriptor.get(), directory.pin(kProgramPin));
}

Result<BalancerMaps> BalancerMaps::open(const PinDirectory& directory) {
  PHX_CHECK(directory.locked());
  Result<BalancerMaps> maps = open_pins(directory, Access::read_write);
  if (!maps) {
    return maps;
  }
  Result<Descriptor> program = open_pin(directory.pin(kProgramPin), PinAccess::read_write);
  if (!program) {
    return Failure(program.error());
  }
  const auto vips = maps->vips();
  if (!vips) {
    return Failure(vips.error());
  }
  maps->vip_cache_.refill(*vips);
  maps->program_.descriptor = std::move(*program);
  maps->header()->writer_pid = static_cast<std::uint32_t>(::getpid());
  return maps;
}

Result<BalancerMaps> BalancerMaps::view(const PinDirectory& directory) {
  return open_pins(directory, Access::read_only);
}

// Read-write also for a view: Linux maps a read-only descriptor as private memory, which BPF maps refuse.
// What keeps a view from writing is the protection of its mapping.
Result<void> BalancerMaps::open_pin_of(const PinDirectory& directory, MapIndex index) {
  Result<Descriptor> map = open_pin(directory.pin(kMapNames[index]), PinAccess::read_write);
  if (!map) {
    return Failure(map.error());
  }
  maps_[index] = std::move(*map);
  return {};
}

Result<BalancerMaps> BalancerMaps::open_pins(const PinDirectory& directory, Access access) {
  const Result<Pinned> pinned = inspect(directory);
  if (!pinned) {
    return Failure(pinned.error());
  }
  if (*pinned != Pinned::complete) {
    return fail(nothing_loaded(directory.path()));
  }
  BalancerMaps maps(directory.path());
  Result<void> done = maps.open_pin_of(directory, kState);
  if (done) {
    done = map_rows(maps.map(kState), kMapNames[kState], access == Access::read_write, maps.state_);
  }
  // The layout first: of another one, nothing else means anything.
  if (done) {
    done = maps.check_layout();
  }
  for (std::size_t i = kState + 1; done && i < kMapCount; ++i) {
    done = maps.open_pin_of(directory, static_cast<MapIndex>(i));
  }
  if (done) {
    done = maps.map_arrays(access);
  }
  if (done) {
    done = maps.check_sizes();
  }
  if (!done) {
    return Failure(done.error());
  }
  return maps;
}

Result<void> BalancerMaps::map_arrays(Access access) {
  const bool writable = access == Access::read_write;
  Result<void> done = map_rows(map(kVipFilter), kMapNames[kVipFilter], writable, vip_filter_);
  MappedArray<phx_vip_cache_row> vip_cache;
  if (done) {
    done = map_rows(map(kVipCache), kMapNames[kVipCache], writable, vip_cache);
    vip_cache_ = VipCache(std::move(vip_cache));
  }
  if (done) {
    done = map_rows(map(kServices), kMapNames[kServices], writable, services_);
  }
  if (done) {
    done = map_rows(map(kSlots), kMapNames[kSlots], writable, slots_);
  }
  if (done) {
    done = map_rows(map(kBackends), kMapNames[kBackends], writable, backends_);
  }
  if (done) {
    done = map_rows(map(kBackendStatus), kMapNames[kBackendStatus], writable, backend_status_);
  }
  if (done) {
    done = map_rows(map(kFlows), kMapNames[kFlows], writable, flows_);
  }
  return done;
}

Result<void> BalancerMaps::check_layout() const {
  if (header()->layout_version != PHX_LAYOUT_VERSION) {
    return fail(
        fmt::format("what is loaded at {} has layout {} and this binary speaks layout {}; use the binaries "
                    "that loaded it, or \"phalanx down\" with those and start anew",
                    where_, header()->layout_version, PHX_LAYOUT_VERSION));
  }
  if (state_.size() != 1 + 2 * std::uint64_t{header()->copy_pages}) {
    return fail(
        fmt::format("the state pinned in {} is damaged ({} pages for two copies of {}); \"phalanx down\" "
                    "removes it",
                    where_, state_.size(), header()->copy_pages));
  }
  return {};
}

Result<void> BalancerMaps::check_sizes() const {
  const Result<core::AppliedState> state = load_state();
  if (!state) {
    return Failure(state.error());
  }
  const core::Limits& limits = state->config.node.limits;
  const std::array<MapShape, kMapCount> expected = {{
      {4, sizeof(StatePage), state_pages(limits)},
      {sizeof(phx_vip_key), sizeof(phx_vip), limits.services * PHX_VIPS_PER_SERVICE},
      {4, sizeof(phx_vip_filter), 1},
      {4, sizeof(phx_vip_cache_row), PHX_VIP_CACHE_ROWS},
      {4, sizeof(phx_service), limits.services},
      {4, sizeof(phx_slot), limits.slots},
      {4, sizeof(phx_backend), limits.backends},
      {4, sizeof(phx_backend_status), limits.backends},
      {4, sizeof(phx_traffic), limits.services},
      {4, sizeof(phx_traffic), limits.backends},
      {4, sizeof(phx_flow_set), phx_flow_sets(limits.flows)},
      {sizeof(phx_vip_key), sizeof(phx_nat_source), limits.backends * PHX_NAT_SOURCES_PER_BACKEND},
      {4, 4, PHX_MAX_INTERFACES},
      {sizeof(phx_datagram), sizeof(phx_datagram_owner), limits.fragments},
      {4, sizeof(phx_answers), 1},
      {4, sizeof(std::uint64_t), PHX_COUNTER_COUNT},
  }};
  for (std::size_t i = 0; i < kMapCount; ++i) {
    const Result<MapShape> shape = map_shape(maps_[i].get());
    if (!shape) {
      return Failure(shape.error());
    }
    if (*shape != expected[i]) {
      return fail(fmt::format(
          "the map {}/{} has {} rows of {} bytes, and the state pinned beside it says {} of {}; "
          "\"phalanx down\" removes them",
          where_, kMapNames[i], shape->rows, shape->value_size, expected[i].rows, expected[i].value_size));
    }
  }
  return {};
}

Result<PathProgram> BalancerMaps::load_program(PathSettings settings) const {
  const Result<Skeleton> skeleton = open_skeleton();
  if (!skeleton) {
    return Failure(skeleton.error());
  }
  set_constants(**skeleton, flows_.size(), settings);
  for (std::size_t i = 0; i < kMapCount; ++i) {
    bpf_map* map = ::bpf_object__find_map_by_name((*skeleton)->obj, kMapNames[i]);
    if (::bpf_map__reuse_fd(map, maps_[i].get()) != 0) {
      return fail(fmt::format("load {} on the maps in {}: {}", kWhat, where_, describe_errno(errno)));
    }
  }
  if (const Result<void> loaded = load_object((*skeleton)->obj, (*skeleton)->progs.phalanx_xdp, kWhat);
      !loaded) {
    return Failure(loaded.error());
  }
  PathProgram program{.descriptor = {}, .settings = settings};
  if (const Result<void> kept = keep(::bpf_program__fd((*skeleton)->progs.phalanx_xdp), program.descriptor);
      !kept) {
    return Failure(kept.error());
  }
  return program;
}

Result<PathProgram> BalancerMaps::install(const PinDirectory& directory, PathProgram program) {
  PHX_CHECK(directory.locked());
  if (const Result<void> replaced =
          replace_pin(program.descriptor.get(), directory.pin(kProgramPin), directory.pin(kNewProgramPin));
      !replaced) {
    return Failure(replaced.error());
  }
  return std::exchange(program_, std::move(program));
}

}  // namespace phalanx::adapters

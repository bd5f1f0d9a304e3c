// SPDX-License-Identifier: Apache-2.0
// What is pinned: looked at, opened, judged, and brought to this binary's layout.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "adapters/bpf/balancer_maps.hpp"
#include "adapters/bpf/pin_names.hpp"
#include "adapters/bpf/pinned_object.hpp"

namespace phalanx::adapters {
namespace {

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
    "state",    "vips",        "vip_filter",     "vip_cache",       "services",
    "slots",    "backends",    "backend_status", "service_traffic", "backend_traffic",
    "flows",    "nat_sources", "interfaces",     "fragments",       "answers",
    "counters", "liveness",    "watch",          "local_agent"};

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

Result<void> BalancerMaps::pin_all(const PinDirectory& directory) const {
  for (std::size_t i = 0; i < kMapCount; ++i) {
    if (Result<void> pinned = pin_object(maps_[i].get(), directory.pin(kMapNames[i])); !pinned) {
      return pinned;
    }
  }
  return pin_object(program_.descriptor.get(), directory.pin(kProgramPin));
}

Result<BalancerMaps> BalancerMaps::open(const PinDirectory& directory) {
  return adopt(directory, Layouts::current);
}

Result<BalancerMaps> BalancerMaps::take_over(const PinDirectory& directory) {
  return adopt(directory, Layouts::known);
}

Result<BalancerMaps> BalancerMaps::adopt(const PinDirectory& directory, Layouts layouts) {
  PHX_CHECK(directory.locked());
  Result<BalancerMaps> maps = open_pins(directory, Access::read_write, layouts);
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
  Result<BalancerMaps> maps = open_pins(directory, Access::read_only, Layouts::current);
  if (!maps) {
    return maps;
  }
  // Only to name it: a view shows what there is.
  if (Result<Descriptor> program = open_pin(directory.pin(kProgramPin), PinAccess::read_write); program) {
    maps->program_.descriptor = std::move(*program);
  }
  return maps;
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

Result<BalancerMaps> BalancerMaps::open_pins(const PinDirectory& directory, Access access, Layouts layouts) {
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
    done = maps.map_state(access);
  }
  // The layout first: of another one, nothing else means anything.
  if (done) {
    done = maps.check_layout(layouts);
  }
  if (done) {
    done = maps.open_maps(directory);
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

Result<void> BalancerMaps::open_maps(const PinDirectory& directory) {
  const bool former_layout = header()->layout_version != PHX_LAYOUT_VERSION;
  for (std::size_t i = kState + 1; i < kMapCount; ++i) {
    if (former_layout && i > kCounters && !directory.has(kMapNames[i])) {
      continue;
    }
    if (Result<void> opened = open_pin_of(directory, static_cast<MapIndex>(i)); !opened) {
      return opened;
    }
  }
  return former_layout ? make_what_the_layout_lacks() : Result<void>();
}

// An install() that was cut short may have pinned some of it.
Result<void> BalancerMaps::make_what_the_layout_lacks() {
  const Result<MapShape> counters = map_shape(map(kCounters));
  if (!counters) {
    return Failure(counters.error());
  }
  if (counters->rows < PHX_COUNTER_COUNT) {
    former_counters_ = std::exchange(maps_[kCounters], Descriptor());
  }
  if (Result<void> made = make_missing_maps(); !made) {
    return made;
  }
  return former_counters_.valid() ? carry_counters(counters->rows) : Result<void>();
}

// What packets add until links are swung is not carried.
Result<void> BalancerMaps::carry_counters(std::uint32_t rows) {
  const int cpus = ::libbpf_num_possible_cpus();
  PHX_CHECK(cpus > 0);
  std::vector<std::uint64_t> values(static_cast<std::size_t>(cpus));
  for (std::uint32_t counter = 0; counter < rows; ++counter) {
    if (::bpf_map_lookup_elem(former_counters_.get(), &counter, values.data()) != 0 ||
        ::bpf_map_update_elem(map(kCounters), &counter, values.data(), BPF_ANY) != 0) {
      return fail(fmt::format("carry the counters of {} to layout {}: {}", where_, PHX_LAYOUT_VERSION,
                              describe_errno(errno)));
    }
  }
  return {};
}

Result<void> BalancerMaps::pin_what_was_made(const PinDirectory& directory) const {
  for (const MapIndex index : made_) {
    const std::string pin = directory.pin(kMapNames[index]);
    Result<void> pinned = index == kCounters ? replace_pin(map(index), pin, directory.pin(kNewProgramPin))
                                             : pin_object(map(index), pin);
    if (!pinned) {
      return pinned;
    }
  }
  return {};
}

// Best effort by nature: it undoes what has just succeeded, while a failure is being reported. What stays
// harms nobody who knows the former layout's maps.
void BalancerMaps::unpin_what_was_made(const PinDirectory& directory) const {
  for (const MapIndex index : made_) {
    const std::string pin = directory.pin(kMapNames[index]);
    if (index == kCounters) {
      (void)replace_pin(former_counters_.get(), pin, directory.pin(kNewProgramPin));
    } else {
      ::unlink(pin.c_str());
    }
  }
}

Result<PathProgram> BalancerMaps::install(const PinDirectory& directory, PathProgram program) {
  PHX_CHECK(directory.locked());
  Result<void> pinned = pin_what_was_made(directory);
  if (pinned) {
    pinned = replace_pin(program.descriptor.get(), directory.pin(kProgramPin), directory.pin(kNewProgramPin));
  }
  if (!pinned) {
    unpin_what_was_made(directory);
    return Failure(pinned.error());
  }
  header()->layout_version = PHX_LAYOUT_VERSION;
  made_.clear();
  former_counters_ = Descriptor();
  return std::exchange(program_, std::move(program));
}

std::string BalancerMaps::tag_of(std::uint32_t id) const {
  if (id == 0) {
    return "";
  }
  const Result<ProgramIdentity> own = program_identity(program());
  return own && own->id == id ? own->tag : "another";
}

Result<void> BalancerMaps::map_state(Access access) {
  return map_rows(map(kState), kMapNames[kState], access == Access::read_write, state_);
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
  if (done) {
    done = map_rows(map(kLiveness), kMapNames[kLiveness], writable, liveness_);
  }
  return done;
}

Result<void> BalancerMaps::check_layout(Layouts layouts) const {
  const std::uint32_t version = header()->layout_version;
  const bool known = version >= PHX_OLDEST_LAYOUT && version < PHX_LAYOUT_VERSION;
  if (known && layouts == Layouts::current) {
    return fail(fmt::format(
        "what is loaded at {} has layout {} and this binary speaks layout {}; start this version's "
        "phalanxd (or \"phalanx up\"), which takes it over, or use the binaries that loaded it",
        where_, version, PHX_LAYOUT_VERSION));
  }
  if (!known && version != PHX_LAYOUT_VERSION) {
    return fail(fmt::format(
        "what is loaded at {} has layout {}, this binary speaks layout {} and takes over layouts from {} on; "
        "packets flow on and nothing was touched: use the binaries that loaded it, or \"phalanx down\" with "
        "those and start anew",
        where_, version, PHX_LAYOUT_VERSION, PHX_OLDEST_LAYOUT));
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
      {4, sizeof(phx_liveness), 1},
      {4, PHX_WATCH_SIZE, 1},
      {4, 4, 1},
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

}  // namespace phalanx::adapters

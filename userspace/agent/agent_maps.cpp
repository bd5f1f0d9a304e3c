// SPDX-License-Identifier: Apache-2.0
#include "agent/agent_maps.hpp"

#include <agent.skel.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "adapters/bpf/libbpf_log.hpp"
#include "adapters/bpf/pin_names.hpp"
#include "adapters/bpf/pinned_object.hpp"
#include "adapters/bpf/program_loader.hpp"

namespace phalanx::agent {
namespace {

using adapters::MapShape;

constexpr std::string_view kWhat = "the agent";

// phx_agent_node::prefix_length counts from `family` on, and that takes this many bits with what is reserved.
constexpr std::uint32_t kFamilyBits = 32;

struct DestroySkeleton {
  void operator()(agent_bpf* skeleton) const { agent_bpf::destroy(skeleton); }
};
using Skeleton = std::unique_ptr<agent_bpf, DestroySkeleton>;

phx_agent_vip key_of(const core::Address& vip) {
  phx_agent_vip key{};
  std::memcpy(key.address, vip.bytes.data(), sizeof(key.address));
  key.family = static_cast<__u8>(vip.family);
  return key;
}

phx_agent_node key_of(const core::Prefix& node) {
  phx_agent_node key{};
  key.prefix_length = kFamilyBits + static_cast<std::uint32_t>(node.length);
  key.family = static_cast<__u8>(node.address.family);
  std::memcpy(key.address, node.address.bytes.data(), sizeof(key.address));
  return key;
}

core::Address address_of(const __u8* bytes, __u8 family) {
  core::Address address;
  address.family = family == PHX_FAMILY_IPV6 ? core::Family::ipv6 : core::Family::ipv4;
  std::memcpy(address.bytes.data(), bytes, address.bytes.size());
  return address;
}

core::Address value_of(const phx_agent_vip& key) {
  return address_of(key.address, key.family);
}

core::Prefix value_of(const phx_agent_node& key) {
  return {address_of(key.address, key.family), static_cast<int>(key.prefix_length - kFamilyBits)};
}

template <typename Key, typename Value>
Result<std::set<Value>> read_keys(int map, const char* name) {
  std::set<Value> values;
  Key key{};
  const Key* former = nullptr;
  while (::bpf_map_get_next_key(map, former, &key) == 0) {
    values.insert(value_of(key));
    former = &key;
  }
  if (errno != ENOENT) {
    return fail(fmt::format("read the map {}: {}", name, adapters::describe_errno(errno)));
  }
  return values;
}

template <typename Value>
Result<void> put(int map, const Value& value, const char* what, std::uint32_t room) {
  const auto key = key_of(value);
  const std::uint32_t present = 1;
  if (::bpf_map_update_elem(map, &key, &present, BPF_ANY) == 0) {
    return {};
  }
  if (errno == E2BIG || errno == ENOSPC) {
    return fail(
        fmt::format("add {} {}: there is room for {}, old and new ones together; go there in two steps", what,
                    to_string(value), room));
  }
  return fail(fmt::format("add {} {}: {}", what, to_string(value), adapters::describe_errno(errno)));
}

template <typename Value>
Result<void> take(int map, const Value& value, const char* what) {
  const auto key = key_of(value);
  if (::bpf_map_delete_elem(map, &key) == 0 || errno == ENOENT) {
    return {};
  }
  return fail(fmt::format("remove {} {}: {}", what, to_string(value), adapters::describe_errno(errno)));
}

void set(agent_bpf& skeleton, const AgentMaps::Settings& settings) {
  auto& rodata = *skeleton.rodata;
  skeleton.bss->shortcuts = settings.shortcuts;
  rodata.flow_keys = settings.flow_keys;
  rodata.gue_port = htons(settings.gue_port);
  for (const core::Address& own : settings.own_addresses) {
    void* const at =
        own.family == core::Family::ipv4 ? static_cast<void*>(&rodata.own_ipv4) : rodata.own_ipv6;
    std::memcpy(at, own.bytes.data(), static_cast<std::size_t>(own.size()));
  }
  for (const std::uint32_t id : settings.namespaces) {
    PHX_CHECK(rodata.namespace_count < PHX_AGENT_MAX_NAMESPACES);
    rodata.namespaces[rodata.namespace_count++] = id;
  }
}

}  // namespace

const std::array<const char*, AgentMaps::kMapCount> AgentMaps::kMapNames = {
    "agent_vips", "agent_nodes", "agent_counters", "agent_peers", "agent_settings"};

bool AgentMaps::complete(const adapters::PinDirectory& directory) {
  return directory.has(adapters::kProgramPin) && directory.has(kMapNames[kVips]);
}

Result<AgentMaps> AgentMaps::load(AgentMaps pinned, const Settings& settings) {
  Skeleton skeleton;
  {
    const adapters::LibbpfLog log;
    skeleton.reset(agent_bpf::open());
    if (!skeleton) {
      return fail(fmt::format("open {} in this binary: {}; {}", kWhat, adapters::describe_errno(errno),
                              log.last_warning()));
    }
  }
  set(*skeleton, settings);
  for (std::size_t i = 0; i < kMapCount; ++i) {
    bpf_map* map = ::bpf_object__find_map_by_name(skeleton->obj, kMapNames[i]);
    if (pinned.maps_[i].valid() && ::bpf_map__reuse_fd(map, pinned.maps_[i].get()) != 0) {
      return fail(fmt::format("load {} on the pinned map {}: {}", kWhat, kMapNames[i],
                              adapters::describe_errno(errno)));
    }
  }
  if (const Result<void> loaded =
          adapters::load_object(skeleton->obj, skeleton->progs.phalanx_agent_xdp, kWhat);
      !loaded) {
    return Failure(loaded.error());
  }
  AgentMaps maps;
  Result<adapters::Descriptor> program =
      adapters::duplicate(::bpf_program__fd(skeleton->progs.phalanx_agent_xdp));
  if (!program) {
    return Failure(program.error());
  }
  maps.program_ = std::move(*program);
  for (std::size_t i = 0; i < kMapCount; ++i) {
    Result<adapters::Descriptor> map =
        adapters::duplicate(::bpf_object__find_map_fd_by_name(skeleton->obj, kMapNames[i]));
    if (!map) {
      return Failure(map.error());
    }
    maps.maps_[i] = std::move(*map);
  }
  return maps;
}

Result<AgentMaps> AgentMaps::create(const adapters::PinDirectory& directory, const Settings& settings) {
  PHX_CHECK(directory.locked());
  Result<AgentMaps> maps = load(AgentMaps(), settings);
  for (std::size_t i = 0; maps && i < kMapCount; ++i) {
    if (const Result<void> pinned = adapters::pin_object(maps->maps_[i].get(), directory.pin(kMapNames[i]));
        !pinned) {
      return Failure(pinned.error());
    }
  }
  return maps;
}

Result<AgentMaps> AgentMaps::reload(const adapters::PinDirectory& directory, const Settings& settings) {
  PHX_CHECK(directory.locked());
  Result<AgentMaps> pinned = open_pins(directory, false);
  if (!pinned) {
    return pinned;
  }
  return load(std::move(*pinned), settings);
}

Result<AgentMaps> AgentMaps::view(const adapters::PinDirectory& directory) {
  return open_pins(directory, true);
}

Result<AgentMaps> AgentMaps::open_pins(const adapters::PinDirectory& directory, bool read_only) {
  const std::array<MapShape, kMapCount> expected = {
      {{sizeof(phx_agent_vip), sizeof(std::uint32_t), PHX_AGENT_MAX_VIPS},
       {sizeof(phx_agent_node), sizeof(std::uint32_t), PHX_AGENT_MAX_NODES},
       {sizeof(std::uint32_t), sizeof(std::uint64_t), PHX_AGENT_COUNTER_COUNT},
       {sizeof(phx_agent_node), sizeof(std::uint32_t), PHX_AGENT_MAX_PEERS},
       {sizeof(std::uint32_t), sizeof(phx_agent_settings), 1}}};
  AgentMaps maps;
  for (std::size_t i = 0; i < kMapCount; ++i) {
    Result<adapters::Descriptor> map =
        adapters::open_pin(directory.pin(kMapNames[i]),
                           read_only ? adapters::PinAccess::read_only : adapters::PinAccess::read_write);
    if (!map) {
      return Failure(map.error());
    }
    const Result<MapShape> shape = adapters::map_shape(map->get());
    if (!shape) {
      return Failure(shape.error());
    }
    if (*shape != expected[i]) {
      return fail(
          fmt::format("what is loaded at {} is of another layout (map {}); take it down with the "
                      "phalanx-agent that loaded it, then run this one's up",
                      directory.path(), kMapNames[i]));
    }
    maps.maps_[i] = std::move(*map);
  }
  return maps;
}

Result<void> AgentMaps::pin_program(const adapters::PinDirectory& directory) const {
  return adapters::replace_pin(program(), directory.pin(adapters::kProgramPin),
                               directory.pin(adapters::kNewProgramPin));
}

Result<std::set<core::Address>> AgentMaps::vips() const {
  return read_keys<phx_agent_vip, core::Address>(map(kVips), kMapNames[kVips]);
}

Result<std::set<core::Prefix>> AgentMaps::nodes() const {
  return read_keys<phx_agent_node, core::Prefix>(map(kNodes), kMapNames[kNodes]);
}

Result<std::set<core::Prefix>> AgentMaps::peers() const {
  return read_keys<phx_agent_node, core::Prefix>(map(kPeers), kMapNames[kPeers]);
}

Result<phx_agent_settings> AgentMaps::settings() const {
  const std::uint32_t key = 0;
  phx_agent_settings settings{};
  if (::bpf_map_lookup_elem(map(kSettings), &key, &settings) != 0) {
    return fail(fmt::format("read the settings: {}", adapters::describe_errno(errno)));
  }
  return settings;
}

Result<void> AgentMaps::set_settings(const phx_agent_settings& settings) {
  const std::uint32_t key = 0;
  if (::bpf_map_update_elem(map(kSettings), &key, &settings, BPF_ANY) != 0) {
    return fail(fmt::format("write the settings: {}", adapters::describe_errno(errno)));
  }
  return {};
}

Result<std::vector<std::uint64_t>> AgentMaps::counters() const {
  const int cpus = ::libbpf_num_possible_cpus();
  if (cpus <= 0) {
    return fail("read the counters: the kernel does not say how many CPUs there may be");
  }
  std::vector<std::uint64_t> sums(PHX_AGENT_COUNTER_COUNT, 0);
  std::vector<std::uint64_t> counts(static_cast<std::size_t>(cpus));
  for (std::uint32_t counter = 0; counter < PHX_AGENT_COUNTER_COUNT; ++counter) {
    if (::bpf_map_lookup_elem(map(kCounters), &counter, counts.data()) != 0) {
      return fail(fmt::format("read the counters: {}", adapters::describe_errno(errno)));
    }
    for (const std::uint64_t count : counts) {
      sums[counter] += count;
    }
  }
  return sums;
}

Result<void> AgentMaps::add_vip(const core::Address& vip) {
  return put(map(kVips), vip, "VIP", PHX_AGENT_MAX_VIPS);
}

Result<void> AgentMaps::remove_vip(const core::Address& vip) {
  return take(map(kVips), vip, "VIP");
}

Result<void> AgentMaps::add_node(const core::Prefix& node) {
  return put(map(kNodes), node, "node", PHX_AGENT_MAX_NODES);
}

Result<void> AgentMaps::remove_node(const core::Prefix& node) {
  return take(map(kNodes), node, "node");
}

Result<void> AgentMaps::add_peer(const core::Prefix& peer) {
  return put(map(kPeers), peer, "peer", PHX_AGENT_MAX_PEERS);
}

Result<void> AgentMaps::remove_peer(const core::Prefix& peer) {
  return take(map(kPeers), peer, "peer");
}

}  // namespace phalanx::agent

// SPDX-License-Identifier: Apache-2.0
// The agent's program and maps, pinned in a directory.
#pragma once

#include <phalanx.h>

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "adapters/bpf/descriptor.hpp"
#include "adapters/bpf/pin_directory.hpp"
#include "core/address.hpp"
#include "core/result.hpp"

namespace phalanx::agent {

class AgentMaps {
 public:
  // Whether a start at `directory` came to its end: its program is pinned last.
  static bool complete(const adapters::PinDirectory& directory);

  // What is fixed when the program is loaded.
  struct Settings {
    std::uint16_t gue_port = PHX_DEFAULT_GUE_PORT;
    std::vector<core::Address> own_addresses;  // at most one a family
    std::vector<std::uint32_t> namespaces;     // ids, at most PHX_AGENT_MAX_NAMESPACES
    phx_agent_shortcuts shortcuts{};
    phx_agent_flow_keys flow_keys{};
  };

  // Loads the program on fresh maps and pins the maps; pin_program() makes it complete. The caller holds the
  // lock of `directory`, which has nothing pinned. Fails with a sentence when a privilege is missing or the
  // verifier refuses.
  static Result<AgentMaps> create(const adapters::PinDirectory& directory, const Settings& settings);

  // Loads this binary's program on the maps pinned in `directory`, whose lock the caller holds. Fails like
  // create(), and when the maps are not of this binary's layout; nothing changes then.
  static Result<AgentMaps> reload(const adapters::PinDirectory& directory, const Settings& settings);

  // Opens the maps to read them; program() is -1. Fails when they are missing or not of this binary's layout.
  static Result<AgentMaps> view(const adapters::PinDirectory& directory);

  int program() const { return program_.get(); }
  // Pins the program, in place of the one pinned if there is one.
  Result<void> pin_program(const adapters::PinDirectory& directory) const;

  Result<std::set<core::Address>> vips() const;
  Result<std::set<core::Prefix>> nodes() const;
  Result<std::set<core::Prefix>> peers() const;
  // What status() is to know of the configuration in force besides: gue_port and names of namespaces.
  Result<phx_agent_settings> settings() const;
  Result<void> set_settings(const phx_agent_settings& settings);
  // Sums over all CPUs, by enum phx_agent_counter.
  Result<std::vector<std::uint64_t>> counters() const;

  Result<void> add_vip(const core::Address& vip);
  Result<void> remove_vip(const core::Address& vip);
  Result<void> add_node(const core::Prefix& node);
  Result<void> remove_node(const core::Prefix& node);
  Result<void> add_peer(const core::Prefix& peer);
  Result<void> remove_peer(const core::Prefix& peer);

 private:
  enum MapIndex { kVips, kNodes, kCounters, kPeers, kSettings, kMapCount };
  static const std::array<const char*, kMapCount> kMapNames;

  AgentMaps() = default;
  static Result<AgentMaps> open_pins(const adapters::PinDirectory& directory, bool read_only);
  static Result<AgentMaps> load(AgentMaps pinned, const Settings& settings);
  int map(MapIndex index) const { return maps_[index].get(); }

  adapters::Descriptor program_;
  std::array<adapters::Descriptor, kMapCount> maps_;
};

}  // namespace phalanx::agent

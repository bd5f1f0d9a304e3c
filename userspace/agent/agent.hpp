// SPDX-License-Identifier: Apache-2.0
// What phalanx-agent does: its three commands.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "adapters/bpf/descriptor.hpp"
#include "adapters/bpf/xdp_link.hpp"
#include "adapters/config/agent_config.hpp"
#include "core/address.hpp"
#include "core/result.hpp"

namespace phalanx::agent {

struct Status {
  std::vector<adapters::XdpDescription> interfaces;
  std::vector<core::Address> vips;                      // sorted
  std::vector<core::Prefix> nodes;                      // sorted
  std::vector<core::Prefix> peers;                      // sorted
  std::vector<std::uint64_t> counters;                  // by enum phx_agent_counter
  std::map<core::Endpoint, std::uint64_t> connections;  // TCP, by VIP and port, that live on this host
  std::vector<std::string> warnings;                    // sentences (diagnosis.hpp)
};

// Loads the agent at `pin_directory` and attaches it, or applies `config` to the one that is there: what is
// new is added, this binary's program takes over, and only then what is gone is removed, so that no packet
// that both configurations accept is lost. On failure what was in force stays in force; with nothing there
// before, nothing stays. Returns how the program is attached. Fails with the sentences of PinDirectory,
// AgentMaps, namespace_id()
// and XdpLink.
Result<adapters::XdpDescription> up(const std::string& pin_directory, const adapters::AgentConfig& config);

// The same for a balancer that is on this host too, and hands packets to the program by itself: nothing is
// attached. config.interface: whose addresses are the host's own. Returns the program.
Result<adapters::Descriptor> embed(const std::string& pin_directory, const adapters::AgentConfig& config);

// Detaches and removes all. Done when there is nothing.
Result<void> down(const std::string& pin_directory);

// Fails with a sentence when nothing is loaded.
Result<Status> status(const std::string& pin_directory);

}  // namespace phalanx::agent

// SPDX-License-Identifier: Apache-2.0
// The configuration of a backend's agent, read as the node's is.
#pragma once

#include <phalanx.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/config/problem.hpp"
#include "core/config.hpp"
#include "core/result.hpp"

namespace phalanx::adapters {

struct AgentConfig {
  std::string interface;
  core::XdpMode xdp_mode = core::XdpMode::automatic;
  std::vector<core::Address> vips;                // 1..PHX_AGENT_MAX_VIPS, each once
  std::vector<core::Prefix> nodes;                // 1..PHX_AGENT_MAX_NODES, host bits clear, each once
  std::vector<core::Prefix> peers;                // 0..PHX_AGENT_MAX_PEERS, as nodes
  std::vector<core::Address> addresses;           // the host's own, at most one a family
  std::vector<std::string> namespaces;            // 0..PHX_AGENT_MAX_NAMESPACES: short names, or paths
  std::uint16_t gue_port = PHX_DEFAULT_GUE_PORT;  // 1..65535

  friend bool operator==(const AgentConfig&, const AgentConfig&) = default;
};

struct ParsedAgentConfig {
  std::optional<AgentConfig> config;  // present where no problem is an error
  std::vector<Problem> problems;
};

// As parse_config() and read_config() of config_file.hpp.
ParsedAgentConfig parse_agent_config(std::string_view text);
Result<ParsedAgentConfig> read_agent_config(const std::string& path);

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
// Names of the pins in a pin directory: those of the maps in phalanx.h, and the program.
#pragma once

#include <string_view>

namespace phalanx::adapters {

inline constexpr std::string_view kProgramPin = "program";
inline constexpr std::string_view kNewProgramPin = "program-new";
inline constexpr std::string_view kStatePin = "state";
inline constexpr std::string_view kLinkPrefix = "link-";

// All but links, the balancer's and the agent's: what taking down removes.
// Of the balancer's directory: the pins of the agent on the same host (node.agent).
inline constexpr std::string_view kLocalAgentDirectory = "agent";
inline constexpr std::string_view kPinNames[] = {
    kProgramPin,   kNewProgramPin, "vips",           "services",        kStatePin,
    "slots",       "backends",     "backend_status", "service_traffic", "counters",
    "agent_vips",  "agent_nodes",  "agent_peers",    "agent_counters",  "backend_traffic",
    "vip_filter",  "flows",        "nat_sources",    "interfaces",      "fragments",
    "answers",     "vip_cache",    "agent_settings", "liveness",        "watch",
    "local_agent",
};

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
// What the agent's program need not look up in maps (phalanx.h). Pure, but for the random numbers.
#pragma once

#include <phalanx.h>

#include <vector>

#include "core/address.hpp"
#include "core/result.hpp"

namespace phalanx::agent {

// Who finds no room is looked up in the maps: a VIP whose row another one has, nodes and peers beyond
// PHX_AGENT_SOURCE_ROWS.
phx_agent_shortcuts shortcuts_of(const std::vector<core::Address>& vips,
                                 const std::vector<core::Prefix>& nodes,
                                 const std::vector<core::Prefix>& peers);

// Fails where the kernel gives no random numbers.
Result<phx_agent_flow_keys> random_flow_keys();

}  // namespace phalanx::agent

// SPDX-License-Identifier: Apache-2.0
// The agent of a node that is a backend too (node.agent).
#pragma once

#include "adapters/config/agent_config.hpp"
#include "core/config.hpp"

namespace phalanx::daemon {

// What a phalanx-agent on this host would be told: the VIPs, the port and the backends of all gue services.
// Every backend may be a node, and may pass packets on; so may whoever has the node's own tunnel sources.
adapters::AgentConfig local_agent_config(const core::Config& config);

}  // namespace phalanx::daemon

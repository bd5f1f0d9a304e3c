// SPDX-License-Identifier: Apache-2.0
#include "daemon/local_agent.hpp"

#include <algorithm>

namespace phalanx::daemon {
namespace {

template <typename Value>
void add_once(std::vector<Value>& values, const Value& value) {
  if (std::ranges::find(values, value) == values.end()) {
    values.push_back(value);
  }
}

core::Prefix host_prefix(const core::Address& address) {
  return {address, address.family == core::Family::ipv4 ? 32 : 128};
}

}  // namespace

adapters::AgentConfig local_agent_config(const core::Config& config) {
  adapters::AgentConfig agent;
  agent.interface = config.node.interfaces.front();
  for (const core::Service& service : config.services) {
    if (service.forward != core::Forward::gue) {
      continue;
    }
    agent.gue_port = service.gue_port;
    for (const core::Address& vip : service.vips) {
      add_once(agent.vips, vip);
    }
    for (const core::Backend& backend : service.backends) {
      add_once(agent.peers, host_prefix(backend.endpoint.address));
    }
  }
  agent.nodes = agent.peers;
  for (const auto& source : {config.node.tunnel_source_v4, config.node.tunnel_source_v6}) {
    if (source) {
      add_once(agent.nodes, *source);
    }
  }
  return agent;
}

}  // namespace phalanx::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/local_agent.hpp"

#include <gtest/gtest.h>

namespace phalanx::daemon {
namespace {

core::Service service(core::Forward forward, const char* vip, const char* backend) {
  core::Service service;
  service.forward = forward;
  service.vips = {*core::parse_address(vip)};
  service.backends.emplace_back();
  service.backends[0].endpoint = {*core::parse_address(backend), 80};
  return service;
}

TEST(LocalAgent, serves_the_vips_of_gue_for_everybody_who_is_a_backend_there) {
  core::Config config;
  config.node.interfaces = {"eth0", "eth1"};
  config.node.tunnel_source_v4 = core::parse_prefix("10.9.0.0/24");
  config.services = {service(core::Forward::gue, "203.0.113.1", "10.0.0.1"),
                     service(core::Forward::ipip, "203.0.113.2", "10.0.0.2"),
                     service(core::Forward::gue, "203.0.113.1", "fd00::3")};
  config.services[2].gue_port = 6081;
  const adapters::AgentConfig agent = local_agent_config(config);
  EXPECT_EQ(agent.interface, "eth0");
  EXPECT_EQ(agent.vips, std::vector{*core::parse_address("203.0.113.1")}) << "each once, and none of ipip";
  const std::vector peers = {*core::parse_prefix("10.0.0.1/32"), *core::parse_prefix("fd00::3/128")};
  EXPECT_EQ(agent.peers, peers);
  ASSERT_EQ(agent.nodes.size(), 3u);
  EXPECT_EQ(agent.nodes.back(), *core::parse_prefix("10.9.0.0/24"));
  EXPECT_EQ(agent.gue_port, 6081);
}

}  // namespace
}  // namespace phalanx::daemon

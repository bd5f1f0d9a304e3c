// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "adapters/config/agent_config.hpp"

namespace phalanx::adapters {
namespace {

std::string judge(std::string_view text) {
  std::string lines;
  for (const Problem& problem : parse_agent_config(text).problems) {
    lines += to_string(problem, "f") + "\n";
  }
  return lines;
}

TEST(AgentConfig, is_read) {
  const auto parsed = parse_agent_config(R"({ "agent": {
    "interface": "eth0", "vips": ["203.0.113.10", "2001:db8::10"], "nodes": ["10.0.0.0/24", "fd00::5"], "xdp_mode": "native" } })");
  ASSERT_TRUE(parsed.config);
  EXPECT_EQ(parsed.config->interface, "eth0");
  EXPECT_EQ(parsed.config->xdp_mode, core::XdpMode::native);
  EXPECT_EQ(parsed.config->vips.size(), 2u);
  ASSERT_EQ(parsed.config->nodes.size(), 2u);
  EXPECT_EQ(to_string(parsed.config->nodes[0]), "10.0.0.0/24");
  EXPECT_EQ(to_string(parsed.config->nodes[1]), "fd00::5/128");
}

TEST(AgentConfig, names_every_error) {
  EXPECT_EQ(
      judge(R"({ "agent": {
    "interface": "eth 0",
    "vips": ["203.0.113.10", "203.0.113.10", "ff02::1"],
    "nodes": ["10.0.0.5/24",
              "10.0.0.0/33"],
    "peers": ["10.0.1.0/24", "10.0.1.0/24", "10.0.1.9/24"], "addresses": ["10.0.0.1", "10.0.0.2", "::1x"], "namespaces": ["a/b", "", "blue", "blue"],
    "gue_port": 65536,
    "node": 1 } })"),
      "f:2: /agent/interface: \"eth 0\" cannot be an interface: a name has 1 to 15 characters, no space, "
      "'/', ':' "
      "or '%'\n"
      "f:3: /agent/vips/1: 203.0.113.10 is listed twice\n"
      "f:3: /agent/vips/2: ff02::1 is a multicast address and cannot be a VIP\n"
      "f:4: /agent/nodes/0: 10.0.0.5/24 has bits set beyond its length; write 10.0.0.0/24 or one address\n"
      "f:5: /agent/nodes/1: \"10.0.0.0/33\" is no address or prefix, such as \"10.0.0.0/24\"\n"
      "f:6: /agent/peers/1: 10.0.1.0/24 is listed twice\n"
      "f:6: /agent/peers/2: 10.0.1.9/24 has bits set beyond its length; write 10.0.1.0/24 or one address\n"
      "f:6: /agent/addresses/1: there is an address of this family already; give one a family\n"
      "f:6: /agent/addresses/2: \"::1x\" is neither an IPv4 nor an IPv6 address\n"
      "f:6: /agent/namespaces/0: \"a/b\" is no network namespace: write a name as \"ip netns\" lists it, or "
      "an absolute path\n"
      "f:6: /agent/namespaces/1: \"\" is no network namespace: write a name as \"ip netns\" lists it, or an "
      "absolute path\n"
      "f:6: /agent/namespaces/3: blue is listed twice\n"
      "f:7: /agent/gue_port: this must be a whole number from 1 to 65535, not 65536\n"
      "f:8: /agent/node: there is no such key here; the nearest known one is \"nodes\"\n");
}

TEST(AgentConfig, of_peers_and_namespaces_is_read) {
  const auto parsed = parse_agent_config(R"({ "agent": {
    "interface": "eth0", "vips": ["203.0.113.10"], "nodes": ["10.0.0.5"], "peers": ["10.0.1.0/24", "fd00:1::/64"],
    "addresses": ["10.0.1.11", "fd00:1::11"], "namespaces": ["blue", "/proc/7/ns/net"] } })");
  ASSERT_TRUE(parsed.config);
  ASSERT_EQ(parsed.config->peers.size(), 2u);
  EXPECT_EQ(to_string(parsed.config->peers[1]), "fd00:1::/64");
  EXPECT_EQ(parsed.config->addresses.size(), 2u);
  EXPECT_EQ(parsed.config->namespaces, (std::vector<std::string>{"blue", "/proc/7/ns/net"}));
}

TEST(AgentConfig, takes_gue_at_its_own_port_unless_told) {
  const auto port_of = [](const std::string& more) {
    const ParsedAgentConfig parsed = parse_agent_config(
        R"({ "agent": { "interface": "eth0", "vips": ["203.0.113.10"], "nodes": ["10.0.0.5"])" + more + "}}");
    return parsed.config ? parsed.config->gue_port : 0;
  };
  EXPECT_EQ(port_of(""), 6080);
  EXPECT_EQ(port_of(R"(, "gue_port": 5555)"), 5555);
}

TEST(AgentConfig, misses_its_required_keys) {
  EXPECT_EQ(judge("{}"), "f:1: /: the key \"agent\" is missing here\n");
  EXPECT_EQ(judge(R"({"agent": {}})"),
            "f:1: /agent: the key \"interface\" is missing here\n"
            "f:1: /agent: the key \"vips\" is missing here\n"
            "f:1: /agent: the key \"nodes\" is missing here\n");
}

TEST(AgentConfig, too_many_nodes_are_refused) {
  std::string nodes;
  for (int i = 0; i < 1025; ++i) {
    nodes +=
        (i > 0 ? "," : "") + ("\"10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250) + "\"");
  }
  EXPECT_EQ(judge(R"({"agent": {"interface": "eth0", "vips": ["203.0.113.10"], "nodes": [)" + nodes + "]}}"),
            "f:1: /agent/nodes: this list has more than 1024 elements\n");
}

}  // namespace
}  // namespace phalanx::adapters

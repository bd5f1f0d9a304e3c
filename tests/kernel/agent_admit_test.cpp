// SPDX-License-Identifier: Apache-2.0
// Who may send, and for which addresses: the same, whether the agent finds it in its shortcuts or in the
// maps.
#include "agent_run.hpp"

namespace phalanx::test {
namespace {

class AgentAdmit : public testing::TestWithParam<bool> {
 protected:
  // Each has a VIP of each family, and one node of each unless told.
  AgentRun agent{{.has_shortcuts = GetParam()}};

  void prepare() {
    agent.add_vip(vip4.address);
    agent.add_vip(vip6.address);
    agent.add_nodes("10.0.0.5", 32);
    agent.add_nodes("fd00::5", 128);
  }
  void expect_admitted(const std::string& from) {
    SCOPED_TRACE(from);
    agent.run(tunnel(from, is_ipv6(from) ? "fd00:1::11" : "10.0.1.11", tcp4(client4, vip4)))
        .passed()
        .counted({is_ipv6(from) ? "decapsulated_4in6" : "decapsulated_4in4"});
  }
  void expect_refused(const std::string& from) {
    SCOPED_TRACE(from);
    agent.run(tunnel(from, is_ipv6(from) ? "fd00:1::11" : "10.0.1.11", tcp4(client4, vip4)))
        .dropped()
        .counted({"refused_source"});
  }

  const Endpoint client4{"203.0.113.7", 40000};
  const Endpoint client6{"2001:db8:c::7", 40000};
  const Endpoint vip4{"198.51.100.10", 80};
  const Endpoint vip6{"2001:db8:e::10", 80};
};

TEST_P(AgentAdmit, prefixes_end_at_their_last_bit) {
  prepare();
  agent.add_nodes("10.1.2.64", 26);
  agent.add_peers("10.2.0.0", 15);
  agent.add_nodes("fd01:0:0:8000::", 49);
  agent.add_peers("fd02::10", 125);
  for (const std::string from : {"10.0.0.5", "10.1.2.64", "10.1.2.127", "10.2.0.0", "10.3.255.255"}) {
    expect_admitted(from);
  }
  for (const std::string from :
       {"fd00::5", "fd01:0:0:8000::", "fd01:0:0:ffff:ffff:ffff:ffff:ffff", "fd02::10", "fd02::17"}) {
    expect_admitted(from);
  }
  for (const std::string from : {"10.0.0.4", "10.0.0.6", "10.1.2.63", "10.1.2.128", "10.1.255.255",
                                 "10.4.0.0", "0.0.0.0", "255.255.255.255"}) {
    expect_refused(from);
  }
  for (const std::string from :
       {"fd00::4", "fd01:0:0:7fff:ffff:ffff:ffff:ffff", "fd01:0:1::", "fd02::f", "fd02::18", "::"}) {
    expect_refused(from);
  }
}

TEST_P(AgentAdmit, an_ipv6_address_is_no_ipv4_address_with_the_same_first_bytes) {
  prepare();
  expect_refused("a00:5::");
  expect_refused("::ffff:a00:5");
  agent.add_nodes("a00:6::", 128);
  expect_admitted("a00:6::");
  expect_refused("10.0.0.6");
  const Packet to_twin = tcp6(client6, {"c633:640a::", 80});  // 198.51.100.10, and zeros
  agent.run(tunnel("10.0.0.5", "10.0.1.11", to_twin)).passed().unchanged().counted({"not_vip_passed"});
}

TEST_P(AgentAdmit, a_prefix_may_be_everybody_of_its_family) {
  prepare();
  agent.add_nodes("0.0.0.0", 0);
  expect_admitted("203.0.113.1");
  expect_refused("fd00::6");
  agent.add_peers("::", 0);
  expect_admitted("fd00::6");
}

TEST_P(AgentAdmit, nodes_and_peers_may_be_many) {
  prepare();
  const auto node = [](int i) { return "10.9.0." + std::to_string(i); };
  const auto peer = [](int i) { return "fd09::" + std::to_string(i) + ":1"; };
  for (int i = 1; i <= 40; i++) {
    agent.add_nodes(node(i), 32);
    agent.add_peers(peer(i), 128);
  }
  for (int i = 1; i <= 40; i++) {
    expect_admitted(node(i));
    expect_admitted(peer(i));
  }
  expect_refused(node(0));
  expect_refused(node(41));
  expect_refused(peer(41));
}

TEST_P(AgentAdmit, vips_may_be_many) {
  prepare();
  const auto vip = [](int i) { return "198.18." + std::to_string(i / 250) + "." + std::to_string(i % 250); };
  const auto run = [&](const std::string& to) {
    return agent.run(tunnel("10.0.0.5", "10.0.1.11", tcp4(client4, {to, 80})));
  };
  for (int i = 0; i < 1000; i++) agent.add_vip(vip(i));  // several have the same place
  for (int i = 0; i < 1000; i++) run(vip(i)).passed().counted({"decapsulated_4in4"});
  for (int i = 1000; i < 1200; i++) run(vip(i)).passed().unchanged().counted({"not_vip_passed"});
}

TEST_P(AgentAdmit, nobody_may_send_where_no_node_is_configured) {
  agent.add_vip(vip4.address);
  expect_refused("10.0.0.5");
  expect_refused("0.0.0.0");
  expect_refused("::");
}

INSTANTIATE_TEST_SUITE_P(AgentAdmit, AgentAdmit, testing::Bool(),
                         [](const auto& which) { return which.param ? "by_shortcuts" : "by_maps"; });

}  // namespace
}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
// A host that is node and backend at once: what its own slots hold, and what comes in tunnels, is its
// agent's.
#include <bpf/bpf.h>

#include "agent_run.hpp"
#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

constexpr std::uint16_t kGuePort = 6080;

class BalancerLocal : public Balancer {
 protected:
  BalancerLocal() {
    for (const Backend& backend : {here, there}) node.add(backend);
    node.add_vip(vip4.address);
    agent.add_vip(vip4.address);
    for (const Backend& backend : {here, there}) agent.add_nodes(backend.address, 32);
    agent.add_peers(there.address, 32);
  }

  void bring_agent() {
    const std::uint32_t first = 0;
    const int program = agent.program_fd();
    ASSERT_EQ(bpf_map_update_elem(node.map_fd("local_agent"), &first, &program, BPF_ANY), 0);
  }

  static Backend gue(std::uint16_t entry, const char* address, bool this_host) {
    Backend backend{entry, address, "10.0.0.5", PHX_FORWARD_GUE, this_host, {}};
    backend.tunnel_port = kGuePort;
    return backend;
  }

  // The loopback interface, by which the packets of test runs come in, is that of the host's own entry too.
  const Backend here = gue(30, "10.0.0.5", true);
  const Backend there = gue(31, "10.0.0.6", false);
  BalancerRun node{BalancerRun::Settings{.with_nat = false, .with_agent = true}};
  AgentRun agent;
};

TEST_F(BalancerLocal, hands_what_is_for_this_host_to_its_stack) {
  const auto service = node.serve(kTcp, vip4, here, here);
  bring_agent();
  const Packet packet = tcp4(client4, vip4).ttl(9).payload(100);
  const Outcome outcome = node.run(packet);
  EXPECT_EQ(outcome.result.verdict, XDP_PASS);
  EXPECT_EQ(hex(outcome.result.frame), hex(Packet(packet).ttl(8).frame())) << "addressed as it came";
  outcome.counted({"kept"}).traffic(service, here, 140);
}

TEST_F(BalancerLocal, needs_no_way_to_itself_when_its_daemon_is_dead) {
  node.serve(kTcp, vip4, here, here);
  bring_agent();
  node.set_stale(true);
  const Outcome outcome = node.run(tcp4(client4, vip4).ttl(9).payload(100));
  EXPECT_EQ(outcome.result.verdict, XDP_PASS);
  outcome.counted({"kept"});
}

TEST_F(BalancerLocal, gives_a_flow_that_nobody_here_knows_its_second_chance) {
  node.serve(kTcp, vip4, here, there);
  bring_agent();
  const Outcome outcome = node.run(tcp4(client4, vip4).payload(100));
  EXPECT_EQ(outcome.result.verdict, XDP_TX) << "back to the router, who knows the way";
  const Bytes destination = part(outcome.result.frame, 14 + 16, 4);
  EXPECT_EQ(hex(destination), hex(address_bytes(there.address)));
  outcome.counted({"kept"});
}

TEST_F(BalancerLocal, takes_in_what_others_send_it) {
  node.serve(kTcp, vip4, there, there);
  bring_agent();
  const Packet inner = tcp4(client4, vip4).payload(20);
  const Outcome outcome = node.run(gue_tunnel(there.address, here.address, inner));
  EXPECT_EQ(outcome.result.verdict, XDP_PASS);
  EXPECT_EQ(hex(outcome.result.frame), hex(inner.frame()));
  outcome.counted({});
}

TEST_F(BalancerLocal, sends_to_others_as_ever) {
  const auto service = node.serve(kTcp, vip4, there, here);
  bring_agent();
  expect(node.run(tcp4(client4, vip4).payload(1)))
      .redirected()
      .counted({"redirected"})
      .traffic(service, there, 41);
}

TEST_F(BalancerLocal, passes_what_is_foreign) {
  bring_agent();
  expect(node.run(tcp4(client4, {"198.51.100.99", 80}))).ignored();
}

TEST_F(BalancerLocal, drops_what_is_for_an_agent_that_was_just_taken_out) {
  const auto service = node.serve(kTcp, vip4, here, here);
  const Outcome outcome = node.run(tcp4(client4, vip4).payload(100));
  EXPECT_EQ(outcome.result.verdict, XDP_DROP);
  outcome.counted({"kept"}).traffic(service, here, 140);
}

}  // namespace
}  // namespace phalanx::test

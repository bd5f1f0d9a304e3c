// SPDX-License-Identifier: Apache-2.0
// Packets to a VIP on a port without service, by the VIP's rule.
#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

class BalancerUnmatched : public Balancer {
 protected:
  BalancerUnmatched() {
    for (const Endpoint& vip : {vip4, vip6}) {
      for (const std::uint8_t protocol : {kTcp, kUdp}) balancer.serve(protocol, vip, b1, b2);
    }
  }
  void rule(phx_unmatched rule) {
    balancer.set_unmatched(vip4.address, rule);
    balancer.set_unmatched(vip6.address, rule);
  }
  void expect_dropped(const Packet& packet) {
    expect(balancer.run(packet)).dropped().counted({"unmatched_dropped"}).no_traffic();
  }
  void expect_passed(const Packet& packet, const std::string& counter) {
    expect(balancer.run(packet)).passed().unchanged().counted({counter}).no_traffic();
  }
  // Whatever the rule.
  void expect_the_rest_as_ever() {
    expect(balancer.run(tcp4(client4, vip4))).tx().encapsulated_to(b1).counted({"sent"});
    expect(balancer.run(udp6(client6, vip6))).tx().encapsulated_to(b1).counted({"sent"});
    expect(balancer.run(ping4(client4, vip4).label(0)))
        .answered_by(ping4(vip4, client4).icmp_type(0))
        .counted({"echo_answered"});
    expect_passed(ping4(client4, vip4).icmp_type(13), "icmp_passed");
    expect_passed(ping6(client6, vip6).icmp_type(135), "icmp_passed");
    expect_passed(error_about(tcp4(other4, client4), "192.0.2.1", 3, 4), "icmp_passed");
    expect_passed(error_about(tcp6(other6, client6), "2001:db8::1", 2, 0), "icmp_passed");
    expect_passed(tcp4(client4, other4).claiming_length(39), "malformed_passed");
    balancer.run(tcp4(client4, {"192.0.2.99", 81})).ignored();
  }

  const Endpoint other4{"198.51.100.10", 81};
  const Endpoint other6{"2001:db8:e::10", 81};
};

TEST_F(BalancerUnmatched, pass_by_default) {
  for (const Packet& packet :
       {tcp4(client4, other4), udp4(client4, other4), tcp6(client6, other6), udp6(client6, other6),
        tcp4(client4, other4).options(3), udp6(client6, other6).extension(60), tcp4(client4, other4).vlan(7),
        tcp4(client4, other4).ttl(1)}) {
    expect_passed(packet, "unmatched_passed");
  }
  expect_passed(tcp4(client4, vip4).protocol(47), "protocol_passed");
  expect_the_rest_as_ever();
}

TEST_F(BalancerUnmatched, are_dropped_by_the_drop_rule) {
  rule(PHX_UNMATCHED_DROP);
  for (const Packet& packet :
       {tcp4(client4, other4), udp4(client4, other4), tcp6(client6, other6), udp6(client6, other6),
        tcp4(client4, other4).options(3), udp6(client6, other6).extension(60), tcp4(client4, other4).vlan(7),
        tcp4(client4, vip4).protocol(47), tcp6(client6, vip6).protocol(50),
        udp4(client4, other4).payload(92).piece(0, 48)}) {
    expect_dropped(packet);
  }
  expect_the_rest_as_ever();
}

TEST_F(BalancerUnmatched, are_refused_by_the_reject_rule) {
  rule(PHX_UNMATCHED_REJECT);
  for (const auto& [client, vip] : {std::pair(client4, other4), std::pair(client6, other6)}) {
    for (const unsigned tags : {0u, 1u, 2u}) {
      Packet syn = Packet(kTcp, client, vip).flags(kSyn).payload(0).numbers(99, 0);
      Packet datagram(kUdp, client, vip);
      for (unsigned i = 0; i < tags; i++) syn.vlan(7), datagram.vlan(7);
      const bool ipv6 = is_ipv6(vip.address);
      expect(balancer.run(syn))
          .answered_by(Packet(kTcp, vip, client).flags(kRst | kAck).payload(0).numbers(0, 100).window(0))
          .counted({"unmatched_rejected"})
          .no_traffic();
      expect(balancer.run(datagram))
          .answered_by(error_about(datagram, vip.address, ipv6 ? 1 : 3, ipv6 ? 4 : 3, ipv6 ? 1232 : 28))
          .counted({"unmatched_rejected"})
          .no_traffic();
    }
  }
  expect_the_rest_as_ever();
}

TEST_F(BalancerUnmatched, are_dropped_by_the_reject_rule_where_there_is_no_answer) {
  rule(PHX_UNMATCHED_REJECT);
  expect_dropped(tcp4(client4, other4).flags(kRst));
  expect_dropped(tcp6(client6, other6).flags(kRst | kAck));
  expect_dropped(tcp4(client4, vip4).protocol(47));
  expect_dropped(tcp6(client6, vip6).protocol(132));
  expect_dropped(udp4({"224.0.0.1", 9}, other4));
  expect_dropped(udp6(client6, other6).destination_mac(0x333300000001));
}

}  // namespace
}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
// Whom packets of gue name for a second chance: the other members of their slot whose hosts answer.
#include "balancer_run.hpp"
#include "oracle.hpp"

namespace phalanx::test {
namespace {

class BalancerHops : public Balancer {
 protected:
  BalancerHops() {
    for (const Backend& backend : {g1, g2, g3, g6}) balancer.add(backend);
    tcp_service = balancer.serve(kTcp, vip4, g1, g2);
    udp_service = balancer.serve(kUdp, vip6, g1, g2);
    fill({g1.entry, g2.entry, g3.entry, 0});
  }
  static Backend gue(std::uint16_t entry, const char* address, const char* source) {
    Backend backend{entry, address, source, PHX_FORWARD_GUE, true, {2, 0, 0, 0, 0xbb, 7}};
    backend.tunnel_port = 6080;
    return backend;
  }
  void fill(const phx_slot& slot) {
    balancer.rewrite_slots(tcp_service, slot);
    balancer.rewrite_slots(udp_service, slot);
  }
  void expect_sent(const Packet& packet, const Backend& backend, const std::vector<Backend>& hops,
                   const std::vector<std::string>& more = {}) {
    const Outcome outcome = balancer.run(packet);
    expect(outcome).tx().encapsulated_to(backend, hops);
    EXPECT_EQ(outcome.counters.size(), 1 + more.size());
    for (const std::string& counter : more) EXPECT_EQ(outcome.counters.count(counter), 1u) << counter;
  }
  Packet segment() { return tcp4(client4, vip4).payload(64); }
  Packet syn() { return tcp4(client4, vip4).flags(kSyn); }
  Packet datagram() { return udp6(client6, vip6).payload(64); }

  const Backend g1 = gue(30, "10.0.1.30", "10.0.0.5");
  const Backend g2 = gue(31, "10.0.1.31", "10.0.0.5");
  const Backend g3 = gue(32, "10.0.1.32", "10.0.0.5");
  const Backend g6 = gue(33, "fd00:1::33", "fd00::5");
  std::uint32_t tcp_service = 0;
  std::uint32_t udp_service = 0;
};

TEST_F(BalancerHops, of_a_flow_that_goes_on_are_previous_and_backup) {
  expect_sent(segment(), g1, {g3, g2});
  expect_sent(datagram(), g1, {g3, g2});
  expect_sent(tcp4(client4, vip4).flags(kSyn | kAck), g1, {g3, g2});
  expect_sent(tcp4(client4, vip4).flags(kRst), g1, {g3, g2});
}

TEST_F(BalancerHops, of_a_connection_that_begins_are_the_backup_first) {
  expect_sent(syn(), g1, {g2, g3});
}

TEST_F(BalancerHops, name_the_primary_when_another_is_chosen) {
  balancer.take_down(g1);
  expect_sent(segment(), g2, {g1, g3}, {"by_backup"});
  expect_sent(syn(), g2, {g3}, {"by_backup"});
  fill({g1.entry, g2.entry, g3.entry, PHX_SLOT_TRACKED});
  balancer.set_state(g1, PHX_STATE_UP | PHX_STATE_REACHABLE);
  expect_sent(segment(), g3, {g1, g2}, {"by_previous", "remembered"});
  balancer.remember(segment(), {g2.entry, 0, 0, 5});
  expect_sent(segment(), g2, {g1, g3}, {"by_flow"});
}

TEST_F(BalancerHops, leave_out_hosts_that_do_not_answer) {
  balancer.set_state(g3, PHX_STATE_UP);
  expect_sent(segment(), g1, {g2});
  balancer.set_state(g2, 0);
  expect_sent(segment(), g1, {});
  expect_sent(datagram(), g1, {});
}

TEST_F(BalancerHops, of_a_connection_that_begins_leave_out_those_that_take_no_new_ones) {
  balancer.set_state(g2, PHX_STATE_UP | PHX_STATE_REACHABLE | PHX_STATE_DRAINING);
  expect_sent(syn(), g1, {g3});
  expect_sent(segment(), g1, {g3, g2});
  balancer.take_down(g3);
  expect_sent(syn(), g1, {});
  expect_sent(segment(), g1, {g3, g2});
}

TEST_F(BalancerHops, are_distinct) {
  fill({g1.entry, g2.entry, g1.entry, 0});
  expect_sent(segment(), g1, {g2});
  fill({g1.entry, g2.entry, g2.entry, 0});
  expect_sent(segment(), g1, {g2});
  expect_sent(syn(), g1, {g2});
  fill({g1.entry, g1.entry, g1.entry, 0});
  expect_sent(segment(), g1, {});
  fill({g1.entry, PHX_NO_ENTRY, PHX_NO_ENTRY, 0});
  expect_sent(segment(), g1, {});
  fill({g1.entry, 60000, 77, 0});  // beyond the map, and a row that is free
  expect_sent(segment(), g1, {});
}

TEST_F(BalancerHops, of_either_family_stand_side_by_side) {
  fill({g1.entry, g6.entry, PHX_NO_ENTRY, 0});
  expect_sent(segment(), g1, {g6});
  fill({g1.entry, g6.entry, g2.entry, 0});
  expect_sent(segment(), g1, {g2, g6});
  expect_sent(datagram(), g1, {g2, g6});
  fill({g6.entry, g1.entry, g2.entry, 0});
  expect_sent(segment(), g6, {g2, g1});
  expect_sent(datagram(), g6, {g2, g1});
}

TEST_F(BalancerHops, are_named_in_errors_about_a_flow_too) {
  const Outcome outcome = balancer.run(error_about(tcp4(vip4, client4), "192.0.2.1", 3, 4, 1000, 1280));
  expect(outcome).tx().encapsulated_to(g1, {g3, g2}).counted({"sent", "by_quote"});
  expect(balancer.run(error_about(udp6(vip6, client6), "2001:db8:ffff::1", 2, 0, 1000, 1280)))
      .tx()
      .encapsulated_to(g1, {g3, g2})
      .counted({"sent", "by_quote"});
}

// Of a datagram's pieces only the first could be told, and the others must follow it.
TEST_F(BalancerHops, are_not_named_in_fragments) {
  expect(balancer.run(datagram().piece(0, 48)))
      .tx()
      .encapsulated_to(g1)
      .counted({"sent", "fragment_recorded"});
  expect(balancer.run(datagram().piece(6, 24))).tx().encapsulated_to(g1).counted({"sent", "by_record"});
}

TEST_F(BalancerHops, are_named_behind_tags_and_options) {
  expect_sent(segment().vlan(7), g1, {g3, g2});
  expect_sent(datagram().extension(0), g1, {g3, g2});
}

TEST_F(BalancerHops, count_when_the_size_is_judged) {
  Backend narrow = g1;
  narrow.mtu = 1500;
  balancer.add(narrow);
  const std::size_t room = 1500 - 20 - 12 - 12;
  expect(balancer.run(tcp4(client4, vip4).payload(room - 40))).tx().encapsulated_to(g1, {g3, g2});
  expect(balancer.run(tcp4(client4, vip4).payload(room - 39))).tx().counted({"too_big_answered"});
  balancer.set_state(g2, 0);
  balancer.set_state(g3, 0);
  expect(balancer.run(tcp4(client4, vip4).payload(room + 12 - 40))).tx().encapsulated_to(g1);
  expect(balancer.run(tcp4(client4, vip4).payload(room + 12 - 39))).tx().counted({"too_big_answered"});
}

TEST_F(BalancerHops, are_skipped_by_scapy_which_reads_the_packet_behind_them) {
  const std::string read = scapy_reads(balancer.run(segment()).result.frame);
  EXPECT_EQ(read.substr(read.find(">6080")), ">6080 / GUE / IP 203.0.113.7>198.51.100.10 / TCP 40000>80");
}

}  // namespace
}  // namespace phalanx::test

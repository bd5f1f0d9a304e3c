// SPDX-License-Identifier: Apache-2.0
// The first fragment of a datagram goes where its flow goes, the others after it.
#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

// With datagrams of either family: 100 bytes of UDP header and payload, in pieces.
class BalancerFragments : public Balancer, public testing::WithParamInterface<phx_family> {
 protected:
  BalancerFragments() : client(is_ipv6() ? client6 : client4), vip(is_ipv6() ? vip6 : vip4) {
    tcp_service = balancer.serve(kTcp, vip, b1, b2);
    udp_service = balancer.serve(kUdp, vip, b1, b2);
  }
  [[nodiscard]] static bool is_ipv6() { return GetParam() == PHX_FAMILY_IPV6; }
  [[nodiscard]] Packet datagram() const { return Packet(kUdp, client, vip).payload(92); }
  [[nodiscard]] Packet first() const { return datagram().piece(0, 48); }
  [[nodiscard]] Packet middle() const { return datagram().piece(6, 24); }
  [[nodiscard]] Packet last() const { return datagram().piece(9, 28); }
  // The id by which the pieces know each other.
  static Packet of(Packet piece, std::uint16_t id) { return piece.label(id).datagram(id); }

  void expect_sent(const Packet& packet, const Backend& backend, const std::string& counter) {
    expect(balancer.run(packet)).tx().encapsulated_to(backend).counted({"sent", counter});
  }
  void expect_dropped(const Packet& packet, const std::string& counter) {
    expect(balancer.run(packet)).dropped().counted({counter}).no_traffic();
  }

  const Endpoint client;
  const Endpoint vip;
  std::uint32_t tcp_service = 0;
  std::uint32_t udp_service = 0;
};
INSTANTIATE_TEST_SUITE_P(Family, BalancerFragments, testing::Values(PHX_FAMILY_IPV4, PHX_FAMILY_IPV6),
                         [](const auto& suite) { return suite.param == PHX_FAMILY_IPV6 ? "IPv6" : "IPv4"; });

TEST_P(BalancerFragments, follow_the_first_one) {
  expect_sent(first(), b1, "fragment_recorded");
  EXPECT_EQ(balancer.records(), 1u);
  expect_sent(middle(), b1, "by_record");
  expect_sent(last(), b1, "by_record");
}

TEST_P(BalancerFragments, follow_it_in_any_order_and_as_often_as_they_come) {
  expect_sent(first(), b1, "fragment_recorded");
  for (int i = 0; i < 3; i++) {
    expect_sent(last(), b1, "by_record");
    expect_sent(middle(), b1, "by_record");
    expect_sent(first(), b1, "fragment_recorded");
  }
  EXPECT_EQ(balancer.records(), 1u);
}

TEST_P(BalancerFragments, are_traffic_of_their_service_and_backend) {
  const std::size_t headers = is_ipv6() ? 48 : 20;
  expect(balancer.run(first())).traffic(udp_service, b1, headers + 48);
  expect(balancer.run(last())).traffic(udp_service, b1, headers + 28);
}

TEST_P(BalancerFragments, follow_it_to_the_backend_that_its_flow_has_not_the_one_it_would_have_now) {
  balancer.rewrite_slots(udp_service, {b2.entry, b1.entry, PHX_NO_ENTRY, 0});
  expect_sent(first(), b2, "fragment_recorded");
  balancer.rewrite_slots(udp_service, {b1.entry, b2.entry, PHX_NO_ENTRY, 0});
  expect_sent(last(), b2, "by_record");
}

TEST_P(BalancerFragments, of_tcp_follow_theirs) {
  const Packet segment = Packet(kTcp, client, vip).payload(80);
  expect_sent(segment.piece(0, 40), b1, "fragment_recorded");
  expect_sent(segment.piece(5, 60), b1, "by_record");
}

TEST_P(BalancerFragments, that_come_before_the_first_one_are_dropped) {
  expect_dropped(middle(), "fragment_early_dropped");
  expect_dropped(last(), "fragment_early_dropped");
  expect_sent(first(), b1, "fragment_recorded");
  expect_sent(middle(), b1, "by_record");
}

TEST_P(BalancerFragments, of_another_datagram_client_vip_or_protocol_do_not_follow) {
  expect_sent(of(first(), 1), b1, "fragment_recorded");
  expect_dropped(of(last(), 2), "fragment_early_dropped");
  Packet from_another(kUdp, {is_ipv6() ? "2001:db8:c::8" : "203.0.113.8", client.port}, vip);
  expect_dropped(of(from_another.payload(92).piece(9, 28), 1), "fragment_early_dropped");
  expect_dropped(of(Packet(kTcp, client, vip).payload(80).piece(9, 28), 1), "fragment_early_dropped");
  const Endpoint other_vip{is_ipv6() ? "2001:db8:e::11" : "198.51.100.11", vip.port};
  balancer.serve(kUdp, other_vip, b1, b2);
  expect_dropped(of(Packet(kUdp, client, other_vip).payload(92).piece(9, 28), 1), "fragment_early_dropped");
  expect_sent(of(last(), 1), b1, "by_record");
}

TEST_P(BalancerFragments, that_come_too_late_are_dropped) {
  expect_sent(first(), b1, "fragment_recorded");
  balancer.age_records(PHX_DATAGRAM_LIFE_S - 2);
  expect_sent(last(), b1, "by_record");
  balancer.age_records(4);
  expect_dropped(last(), "fragment_early_dropped");
  expect_sent(first(), b1, "fragment_recorded");
  expect_sent(last(), b1, "by_record");
}

TEST_P(BalancerFragments, are_dropped_when_their_backend_is_up_no_more) {
  expect_sent(first(), b1, "fragment_recorded");
  for (const std::uint64_t state : {std::uint64_t{PHX_STATE_REACHABLE}, std::uint64_t{0}}) {
    balancer.set_state(b1, state);
    expect_dropped(last(), "fragment_orphan_dropped");
  }
  balancer.set_state(b1, PHX_STATE_UP);
  expect_sent(last(), b1, "by_record");
}

TEST_P(BalancerFragments, follow_to_a_backend_that_takes_packets_by_its_services_rule) {
  expect_sent(first(), b1, "fragment_recorded");
  balancer.set_state(b1, PHX_STATE_REACHABLE);
  balancer.rewrite_service(udp_service, [](phx_service& row) { row.on_down = PHX_ON_DOWN_KEEP; });
  expect_sent(last(), b1, "by_record");
  balancer.set_state(b1, 0);
  expect_dropped(last(), "fragment_orphan_dropped");
  balancer.rewrite_service(udp_service, [](phx_service& row) { row.no_backend = PHX_NO_BACKEND_LAST_GOOD; });
  expect_sent(last(), b1, "by_record");
}

TEST_P(BalancerFragments, overlapping_each_other_go_to_the_same_backend_which_judges_them) {
  expect_sent(first(), b1, "fragment_recorded");
  expect_sent(datagram().piece(1, 80), b1, "by_record");
  expect_sent(datagram().piece(5, 16), b1, "by_record");
  expect_sent(datagram().piece(0, 96), b1, "fragment_recorded");
}

TEST_P(BalancerFragments, too_short_for_their_header_pass_as_malformed) {
  for (std::size_t size = 0; size < 8; size++) {
    expect(balancer.run(datagram().carrying(Bytes(size, 1)).fragment(0, true)))
        .passed()
        .unchanged()
        .counted({"malformed_passed"});
  }
  for (std::size_t size = 0; size < 20; size++) {
    expect(balancer.run(Packet(kTcp, client, vip).carrying(Bytes(size, 1)).fragment(0, true)))
        .passed()
        .unchanged()
        .counted({"malformed_passed"});
  }
  EXPECT_EQ(balancer.records(), 0u);
}

TEST_P(BalancerFragments, that_reach_beyond_the_longest_datagram_pass_as_malformed) {
  expect_sent(first(), b1, "fragment_recorded");
  expect(balancer.run(datagram().carrying(Bytes(8)).fragment(8191, false)))
      .passed()
      .unchanged()
      .counted({"malformed_passed"});
  expect_sent(datagram().carrying(Bytes(7)).fragment(8191, false), b1, "by_record");
}

TEST_P(BalancerFragments, of_a_port_without_service_pass_after_the_first_one) {
  const Packet elsewhere = Packet(kUdp, client, {vip.address, 81}).payload(92);
  expect_dropped(elsewhere.piece(6, 24), "fragment_early_dropped");
  expect(balancer.run(elsewhere.piece(0, 48)))
      .passed()
      .unchanged()
      .counted({"unmatched_passed", "fragment_recorded"});
  for (const Packet& later : {elsewhere.piece(6, 24), elsewhere.piece(9, 28)}) {
    expect(balancer.run(later)).passed().unchanged().counted({"unmatched_passed"}).no_traffic();
  }
  expect_dropped(of(elsewhere.piece(6, 24), 7), "fragment_early_dropped");
}

TEST_P(BalancerFragments, do_not_follow_a_first_one_that_went_nowhere) {
  balancer.set_unmatched(vip.address, PHX_UNMATCHED_DROP);
  const Packet elsewhere = Packet(kUdp, client, {vip.address, 81}).payload(92);
  expect_dropped(elsewhere.piece(0, 48), "unmatched_dropped");
  expect(balancer.run(of(first(), 7).ttl(1))).tx().counted({"ttl_answered"});
  EXPECT_EQ(balancer.records(), 0u);
  expect_dropped(elsewhere.piece(6, 24), "fragment_early_dropped");
  expect_dropped(of(middle(), 7), "fragment_early_dropped");
}

TEST_P(BalancerFragments, of_icmp_and_other_protocols_pass) {
  const std::uint8_t icmp = is_ipv6() ? 58 : 1;
  const Packet ping = Packet(icmp, client, vip).icmp_type(is_ipv6() ? 128 : 8).payload(92);
  expect(balancer.run(ping.piece(0, 48))).passed().unchanged().counted({"icmp_passed"});
  expect(balancer.run(ping.piece(6, 48))).passed().unchanged().counted({"icmp_passed"});
  const Packet gre = Packet(47, client, vip).carrying(Bytes(90));
  expect(balancer.run(gre.piece(0, 48))).passed().unchanged().counted({"protocol_passed"});
  expect(balancer.run(gre.piece(6, 48))).passed().unchanged().counted({"protocol_passed"});
}

TEST_P(BalancerFragments, in_tags_follow_like_others) {
  expect_sent(first().vlan(7), b1, "fragment_recorded");
  expect_sent(last().vlan(100, 0x88a8).vlan(7), b1, "by_record");
}

TEST_P(BalancerFragments, for_strangers_are_ignored) {
  const Packet stranger = Packet(kUdp, client, {is_ipv6() ? "2001:db8::99" : "192.0.2.99", 80}).payload(92);
  balancer.run(stranger.piece(0, 48)).ignored();
  balancer.run(stranger.piece(6, 48)).ignored();
  EXPECT_EQ(balancer.records(), 0u);
}

TEST_P(BalancerFragments, cut_off_at_any_byte_pass_as_malformed) {
  expect_sent(first(), b1, "fragment_recorded");
  const std::size_t headers = is_ipv6() ? 54 : 34;
  for (const Packet& piece : {first(), middle(), last()}) {
    const Bytes frame = piece.frame();
    for (std::size_t size = headers; size < frame.size(); size++) {
      balancer.run(part(frame, 0, size)).passed().unchanged().counted({"malformed_passed"});
    }
  }
}

TEST_P(BalancerFragments, get_no_reset_but_the_first_is_answered_unreachable) {
  for (const auto service : {tcp_service, udp_service}) {
    balancer.rewrite_service(service, [](phx_service& row) { row.no_backend = PHX_NO_BACKEND_REJECT; });
  }
  balancer.take_down(b1);
  balancer.take_down(b2);
  expect_dropped(Packet(kTcp, client, vip).payload(80).piece(0, 40), "no_backend_dropped");
  expect(balancer.run(first()))
      .answered_by(
          error_about(first(), vip.address, is_ipv6() ? 1 : 3, is_ipv6() ? 4 : 3, is_ipv6() ? 1232 : 28))
      .counted({"rejected"});
}

// However many flows' fragments there are, whole packets find their way.
TEST_P(BalancerFragments, push_out_each_other_only) {
  balancer.rewrite_slots(udp_service, {b1.entry, b2.entry, PHX_NO_ENTRY, PHX_SLOT_TRACKED});
  expect(balancer.run(datagram())).tx().encapsulated_to(b1).counted({"sent", "remembered"});
  for (unsigned id = 0; id < 2 * kFragments; id++) {
    balancer.run(of(first(), static_cast<std::uint16_t>(id))).tx();
  }
  EXPECT_LE(balancer.records(), kFragments);
  expect(balancer.run(datagram())).tx().encapsulated_to(b1).counted({"sent", "by_flow"});
}

class BalancerIpv6Fragments : public Balancer {
 protected:
  BalancerIpv6Fragments() { balancer.serve(kUdp, vip6, b1, b2); }
};

// RFC 6946.
TEST_F(BalancerIpv6Fragments, that_are_atomic_are_whole_packets) {
  expect(balancer.run(udp6(client6, vip6).fragment(0, false))).tx().encapsulated_to(b1).counted({"sent"});
  expect(balancer.run(udp6(client6, vip6).extension(60).fragment(0, false).vlan(3)))
      .tx()
      .encapsulated_to(b1)
      .counted({"sent"});
  EXPECT_EQ(balancer.records(), 0u);
}

TEST_F(BalancerIpv6Fragments, behind_other_extension_headers_follow) {
  const Packet datagram = udp6(client6, vip6).payload(92).extension(0).extension(43, 24);
  expect(balancer.run(datagram.piece(0, 48))).tx().encapsulated_to(b1).counted({"sent", "fragment_recorded"});
  expect(balancer.run(datagram.piece(6, 52))).tx().encapsulated_to(b1).counted({"sent", "by_record"});
}

// Only the first fragment shows what comes behind the extension headers that are fragmented with it.
TEST_F(BalancerIpv6Fragments, of_extension_headers_follow) {
  Bytes fragmentable{17, 0, 1, 4, 0, 0, 0, 0};
  const Bytes datagram = udp6(client6, vip6).payload(92).ip();
  fragmentable.insert(fragmentable.end(), datagram.begin() + 40, datagram.end());
  const Packet whole = udp6(client6, vip6).protocol(60).carrying(fragmentable);
  expect(balancer.run(whole.piece(6, 60))).dropped().counted({"fragment_early_dropped"});
  expect(balancer.run(whole.piece(0, 48))).tx().encapsulated_to(b1).counted({"sent", "fragment_recorded"});
  expect(balancer.run(whole.piece(6, 60))).tx().encapsulated_to(b1).counted({"sent", "by_record"});
}

}  // namespace
}  // namespace phalanx::test

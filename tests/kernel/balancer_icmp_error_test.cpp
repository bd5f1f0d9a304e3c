// SPDX-License-Identifier: Apache-2.0
// ICMP errors about a backend's answers reach the backend that answered.
#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

constexpr const char* kRouter4 = "192.0.2.1";
constexpr const char* kRouter6 = "2001:db8:ffff::1";

class BalancerIcmpErrors : public Balancer {
 protected:
  BalancerIcmpErrors() {
    for (const Endpoint& vip : {vip4, vip6}) {
      for (const std::uint8_t protocol : {kTcp, kUdp}) service = balancer.serve(protocol, vip, b1, b2);
    }
  }
  static Packet about4(const Packet& answer, std::size_t quoted = 1000) {
    return error_about(answer, kRouter4, 3, 4, quoted, 1280);
  }
  static Packet about6(const Packet& answer, std::size_t quoted = 1000) {
    return error_about(answer, kRouter6, 2, 0, quoted, 1280);
  }
  void expect_sent(const Packet& error, const Backend& backend) {
    expect(balancer.run(error)).tx().encapsulated_to(backend).counted({"sent", "by_quote"});
  }
  void expect_passed(const Packet& error) {
    expect(balancer.run(error)).passed().unchanged().counted({"icmp_passed"}).no_traffic();
  }
  std::uint32_t service = 0;
};

TEST_F(BalancerIcmpErrors, of_every_kind_reach_the_backend_over_ipv4) {
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{3, 11, 12}) {
    for (std::uint8_t code = 0; code < 16; code++) {
      expect_sent(error_about(tcp4(vip4, client4), kRouter4, type, code), b1);
      expect_sent(error_about(udp4(vip4, client4), kRouter4, type, code), b1);
    }
  }
}

TEST_F(BalancerIcmpErrors, of_every_kind_reach_the_backend_over_ipv6) {
  for (std::uint8_t type = 1; type <= 4; type++) {
    for (std::uint8_t code = 0; code < 8; code++) {
      expect_sent(error_about(tcp6(vip6, client6), kRouter6, type, code), b1);
      expect_sent(error_about(udp6(vip6, client6), kRouter6, type, code), b1);
    }
  }
}

TEST_F(BalancerIcmpErrors, are_traffic_of_the_service_and_backend_of_the_flow) {
  expect(balancer.run(about6(udp6(vip6, client6)))).traffic(service, b1, 40 + 8 + 48 + 32);
}

TEST_F(BalancerIcmpErrors, reach_the_backend_that_the_flow_has) {
  const auto slot_at = [this](std::uint32_t slot) {
    return phx_slot{slot % 2 == 0 ? b1.entry : b2.entry, PHX_NO_ENTRY, PHX_NO_ENTRY, 0};
  };
  balancer.serve(kTcp, vip4, slot_at);
  balancer.serve(kUdp, vip6, slot_at);
  for (std::uint16_t port = 1; port <= 100; port++) {
    const Endpoint flow4{client4.address, port};
    const Endpoint flow6{client6.address, port};
    EXPECT_EQ(hex(part(balancer.run(about4(tcp4(vip4, flow4))).result.frame, 30, 4)),
              hex(part(balancer.run(tcp4(flow4, vip4)).result.frame, 30, 4)));
    EXPECT_EQ(hex(part(balancer.run(about6(udp6(vip6, flow6))).result.frame, 30, 4)),
              hex(part(balancer.run(udp6(flow6, vip6)).result.frame, 30, 4)));
  }
}

TEST_F(BalancerIcmpErrors, reach_the_backend_that_the_flow_table_has_and_leave_no_trace_there) {
  for (std::uint32_t i = 0; i <= service; i++) {
    balancer.rewrite_slots(i, {b1.entry, PHX_NO_ENTRY, b2.entry, PHX_SLOT_TRACKED});
  }
  const Packet segment = tcp4(client4, vip4);
  expect(balancer.run(about4(tcp4(vip4, client4))))
      .tx()
      .encapsulated_to(b2)
      .counted({"sent", "by_previous", "by_quote"});
  EXPECT_EQ(balancer.flows(), 0u);
  const phx_flow_owner owner{b2_over_ipv6.entry, PHX_FLOW_CLOSING, 0, 5};
  balancer.remember(segment, owner);
  expect(balancer.run(about4(tcp4(vip4, client4).flags(kRst | kFin))))
      .tx()
      .encapsulated_to(b2_over_ipv6)
      .counted({"sent", "by_flow", "by_quote"});
  const auto after = balancer.remembered(segment);
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(after->seen_s, owner.seen_s);
  EXPECT_EQ(after->flags, owner.flags);
}

// The node may never have seen the flow: it came by another one.
TEST_F(BalancerIcmpErrors, about_unknown_flows_go_where_the_next_packets_of_these_would_go) {
  for (std::uint32_t i = 0; i <= service; i++) {
    balancer.rewrite_slots(i, {b1.entry, PHX_NO_ENTRY, b2.entry, PHX_SLOT_TRACKED});
  }
  expect(balancer.run(about4(tcp4(vip4, client4))))
      .tx()
      .encapsulated_to(b2)
      .counted({"sent", "by_previous", "by_quote"});
  for (const Packet& error : {about4(udp4(vip4, client4)), about6(udp6(vip6, client6))}) {
    expect(balancer.run(error)).tx().encapsulated_to(b1).counted({"sent", "by_quote"});
  }
  EXPECT_EQ(balancer.flows(), 0u);
}

TEST_F(BalancerIcmpErrors, reach_the_backup_when_the_primary_is_down) {
  balancer.take_down(b1);
  expect(balancer.run(about4(udp4(vip4, client4))))
      .tx()
      .encapsulated_to(b2)
      .counted({"sent", "by_backup", "by_quote"});
}

TEST_F(BalancerIcmpErrors, are_never_answered) {
  for (std::uint32_t i = 0; i <= service; i++) {
    balancer.rewrite_service(i, [](phx_service& row) { row.no_backend = PHX_NO_BACKEND_REJECT; });
  }
  const auto dropped = [this](const Packet& error, const std::string& counter) {
    expect(balancer.run(error)).dropped().counted({counter, "by_quote"}).no_traffic();
  };
  dropped(about4(tcp4(vip4, client4)).ttl(1), "ttl_dropped");
  dropped(about6(tcp6(vip6, client6)).ttl(0), "ttl_dropped");
  Backend narrow = b1;
  narrow.mtu = 100;
  balancer.add(narrow);
  dropped(about4(tcp4(vip4, client4).payload(100)), "too_big_dropped");
  dropped(about6(udp6(vip6, client6)), "too_big_dropped");
  balancer.take_down(b1);
  balancer.take_down(b2);
  dropped(about4(tcp4(vip4, client4)), "no_backend_dropped");
  dropped(about4(udp4(vip4, client4)), "no_backend_dropped");
  dropped(about6(udp6(vip6, client6)), "no_backend_dropped");
}

TEST_F(BalancerIcmpErrors, reach_the_backend_in_tags_and_with_options_of_their_own) {
  expect_sent(about4(tcp4(vip4, client4)).vlan(7), b1);
  expect_sent(about4(tcp4(vip4, client4)).options(5), b1);
  expect_sent(about6(tcp6(vip6, client6)).vlan(1).vlan(2), b1);
  expect_sent(about6(tcp6(vip6, client6)).extension(0).extension(60, 24), b1);
}

TEST_F(BalancerIcmpErrors, may_quote_options_and_extension_headers) {
  for (unsigned words = 1; words <= 10; words++) {
    expect_sent(about4(udp4(vip4, client4).options(words), 28 + words * 4), b1);
  }
  for (const std::uint8_t kind : std::initializer_list<std::uint8_t>{0, 43, 51, 60, 135, 139, 140}) {
    expect_sent(about6(tcp6(vip6, client6).extension(kind, 24)), b1);
    expect_sent(about6(udp6(vip6, client6).extension(kind).extension(60, 64).extension(kind)), b1);
  }
}

TEST_F(BalancerIcmpErrors, may_quote_a_first_fragment) {
  expect_sent(about4(udp4(vip4, client4).fragment(0, true)), b1);
  expect_sent(about6(udp6(vip6, client6).fragment(0, true)), b1);
}

TEST_F(BalancerIcmpErrors, that_quote_a_later_fragment_pass) {
  expect_passed(about4(udp4(vip4, client4).fragment(8, true)));
  expect_passed(about6(udp6(vip6, client6).fragment(8, false)));
}

// Ports are all that is needed, wherever the quote ends behind them.
TEST_F(BalancerIcmpErrors, that_quote_too_little_pass) {
  for (std::size_t quoted = 0; quoted < 60; quoted++) {
    const Packet error = about4(tcp4(vip4, client4), quoted);
    quoted < 24 ? expect_passed(error) : expect_sent(error, b1);
  }
  for (std::size_t quoted = 0; quoted < 80; quoted++) {
    const Packet error = about6(udp6(vip6, client6), quoted);
    quoted < 44 ? expect_passed(error) : expect_sent(error, b1);
  }
  for (std::size_t quoted = 40; quoted < 100; quoted++) {
    const Packet error = about6(udp6(vip6, client6).extension(60, 24).extension(43), quoted);
    quoted < 76 ? expect_passed(error) : expect_sent(error, b1);
  }
}

TEST_F(BalancerIcmpErrors, about_no_service_pass) {
  expect_passed(about4(tcp4({vip4.address, 81}, client4)));
  expect_passed(about6(udp6({vip6.address, 0}, client6)));
  expect_passed(about4(ping4(vip4, client4)));
  expect_passed(about6(ping6(vip6, client6)));
  expect_passed(about4(tcp4(vip4, client4).protocol(47)));
}

// What a VIP did not send cannot be about its flows: such an error is forged, or somebody else's.
TEST_F(BalancerIcmpErrors, that_quote_another_source_than_they_are_for_pass) {
  Bytes frame4 = about4(tcp4(vip4, client4)).frame();
  frame4[14 + 28 + 15]++;
  expect(balancer.run(frame4)).passed().unchanged().counted({"icmp_passed"});
  Bytes frame6 = about6(tcp6(vip6, client6)).frame();
  frame6[14 + 48 + 23]++;
  expect(balancer.run(frame6)).passed().unchanged().counted({"icmp_passed"});
}

TEST_F(BalancerIcmpErrors, that_quote_garbage_pass) {
  for (const std::uint8_t first : std::initializer_list<std::uint8_t>{0x00, 0x40, 0x44, 0x55, 0x65, 0xff}) {
    Bytes frame = about4(tcp4(vip4, client4)).frame();
    frame[14 + 28] = first;
    expect(balancer.run(frame)).passed().unchanged().counted({"icmp_passed"});
  }
  Bytes frame = about6(tcp6(vip6, client6)).frame();
  frame[14 + 48] = 0x45;
  expect(balancer.run(frame)).passed().unchanged().counted({"icmp_passed"});
}

TEST_F(BalancerIcmpErrors, that_quote_more_extension_headers_than_are_walked_pass) {
  Packet answer = tcp6(vip6, client6);
  for (int i = 0; i < 8; i++) answer.extension(60);
  expect_sent(about6(answer), b1);
  expect_passed(about6(answer.extension(60)));
}

TEST_F(BalancerIcmpErrors, that_quote_an_error_pass) {
  expect_passed(about4(error_about(tcp4(client4, vip4), vip4.address, 3, 3)));
  expect_passed(about6(error_about(tcp6(client6, vip6), vip6.address, 1, 4)));
}

TEST_F(BalancerIcmpErrors, cut_off_at_any_byte_pass) {
  for (const Packet& error : {about4(tcp4(vip4, client4)), about6(tcp6(vip6, client6))}) {
    const Bytes frame = error.frame();
    const std::size_t ip = is_ipv6(error.to().address) ? 40 : 20;
    for (std::size_t size = 14 + ip; size < frame.size(); size++) {
      balancer.run(part(frame, 0, size)).passed().unchanged().counted({"malformed_passed"});
    }
  }
}

TEST_F(BalancerIcmpErrors, for_strangers_are_ignored) {
  balancer.run(about4(tcp4(client4, vip4))).ignored();
  balancer.run(about6(tcp6(client6, vip6))).ignored();
}

}  // namespace
}  // namespace phalanx::test

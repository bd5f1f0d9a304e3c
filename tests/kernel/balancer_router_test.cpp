// SPDX-License-Identifier: Apache-2.0
// What the path does as a router: hop counts end, and what does not fit is turned back with the size that
// does.
#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

class BalancerRouter : public Balancer {
 protected:
  BalancerRouter() {
    for (const Endpoint& vip : {vip4, vip6}) {
      for (const std::uint8_t protocol : {kTcp, kUdp}) service = balancer.serve(protocol, vip, b1, b2);
    }
  }
  void narrow(Backend backend, std::uint16_t mtu) {
    backend.mtu = mtu;
    balancer.add(backend);
  }
  // Payload that makes the packet this long.
  static Packet of_length(Packet packet, std::size_t length) {
    return packet.payload(0).payload(length - packet.ip().size());
  }
  void expect_time_exceeded(const Packet& packet, std::size_t quoted) {
    const bool ipv6 = is_ipv6(packet.to().address);
    expect(balancer.run(packet))
        .answered_by(error_about(packet, packet.to().address, ipv6 ? 3 : 11, 0, quoted))
        .counted({"ttl_answered"})
        .no_traffic();
  }
  void expect_turned_back(const Packet& packet, std::uint32_t mtu) {
    const bool ipv6 = is_ipv6(packet.to().address);
    expect(balancer.run(packet))
        .answered_by(
            error_about(packet, packet.to().address, ipv6 ? 2 : 3, ipv6 ? 0 : 4, ipv6 ? 1232 : 28, mtu))
        .counted({"too_big_answered"})
        .no_traffic();
  }
  void expect_dropped(const Packet& packet, const std::string& counter) {
    expect(balancer.run(packet)).dropped().counted({counter}).no_traffic();
  }
  std::uint32_t service = 0;
};

TEST_F(BalancerRouter, takes_one_from_every_ttl) {
  balancer.serve(kTcp, vip6, b3_at_layer_2, b2);
  for (unsigned ttl = 2; ttl < 256; ttl++) {
    const auto left = static_cast<std::uint8_t>(ttl);
    expect(balancer.run(tcp4(client4, vip4).ttl(left))).tx().encapsulated_to(b1);
    expect(balancer.run(udp6(client6, vip6).ttl(left))).tx().encapsulated_to(b1);
    expect(balancer.run(tcp6(client6, vip6).ttl(left))).tx().sent_at_layer_2_to(b3_at_layer_2);
  }
}

// RFC 1624: also where the sum comes near 0.
TEST_F(BalancerRouter, keeps_checksums_of_every_value_right) {
  for (unsigned label = 0; label < 65536; label += 17) {
    expect(balancer.run(udp4(client4, vip4).label(static_cast<std::uint16_t>(label))))
        .tx()
        .encapsulated_to(b1);
  }
}

TEST_F(BalancerRouter, answers_time_exceeded_where_the_ttl_ends) {
  for (const std::uint8_t ttl : std::initializer_list<std::uint8_t>{0, 1}) {
    expect_time_exceeded(tcp4(client4, vip4).ttl(ttl), 28);
    expect_time_exceeded(udp4(client4, vip4).ttl(ttl).payload(0), 28);
    expect_time_exceeded(tcp6(client6, vip6).ttl(ttl), 1232);
    expect_time_exceeded(udp6(client6, vip6).ttl(ttl).payload(1401), 1232);
  }
}

TEST_F(BalancerRouter, answers_time_exceeded_in_tags_about_options_and_first_fragments) {
  expect_time_exceeded(tcp4(client4, vip4).ttl(1).vlan(7), 28);
  expect_time_exceeded(udp4(client4, vip4).ttl(1).options(10), 68);
  expect_time_exceeded(udp6(client6, vip6).ttl(1).extension(60, 24).vlan(3), 1232);
  const Packet first = udp4(client4, vip4).ttl(1).payload(92).piece(0, 48);
  expect(balancer.run(first))
      .answered_by(error_about(first, vip4.address, 11, 0, 28))
      .counted({"ttl_answered"});
}

TEST_F(BalancerRouter, answers_echo_whatever_the_ttl) {
  expect(balancer.run(ping4(client4, vip4).label(0).ttl(1)))
      .answered_by(ping4(vip4, client4).icmp_type(0))
      .counted({"echo_answered"});
}

TEST_F(BalancerRouter, drops_in_silence_where_the_ttl_of_a_later_fragment_ends) {
  const Packet datagram = udp6(client6, vip6).payload(92);
  balancer.run(datagram.piece(0, 48)).tx();
  expect(balancer.run(datagram.piece(6, 52).ttl(1))).dropped().counted({"ttl_dropped", "by_record"});
}

TEST_F(BalancerRouter, drops_in_silence_what_came_from_or_went_to_a_group) {
  narrow(b1, 1400);
  for (const char* source : {"0.0.0.0", "224.0.0.1", "255.255.255.255"}) {
    expect_dropped(tcp4({source, 99}, vip4).ttl(1), "ttl_dropped");
    expect_dropped(of_length(udp4({source, 99}, vip4), 1400), "too_big_dropped");
  }
  for (const char* source : {"::", "ff02::1"}) {
    expect_dropped(tcp6({source, 99}, vip6).ttl(1), "ttl_dropped");
    expect_dropped(of_length(udp6({source, 99}, vip6), 1400), "too_big_dropped");
  }
  expect_dropped(tcp4(client4, vip4).ttl(1).destination_mac(0xffffffffffff), "ttl_dropped");
  expect_dropped(tcp6(client6, vip6).ttl(1).destination_mac(0x333300000001), "ttl_dropped");
}

TEST_F(BalancerRouter, sends_what_just_fits_and_turns_back_what_does_not) {
  narrow(b1, 1500);
  narrow(b1_over_ipv6, 1500);
  narrow(b3_at_layer_2, 1500);
  const std::pair<Backend, std::size_t> ways[] = {{b1, 1480}, {b1_over_ipv6, 1460}, {b3_at_layer_2, 1500}};
  for (const auto& [backend, room] : ways) {
    for (std::uint32_t i = 0; i <= service; i++) {
      balancer.rewrite_slots(i, {backend.entry, PHX_NO_ENTRY, PHX_NO_ENTRY, 0});
    }
    for (const Endpoint& vip : {vip4, vip6}) {
      const Endpoint& client = is_ipv6(vip.address) ? client6 : client4;
      for (const std::uint8_t protocol : {kTcp, kUdp}) {
        const Outcome sent = balancer.run(of_length(Packet(protocol, client, vip), room));
        backend.forward == PHX_FORWARD_L2 ? sent.sent_at_layer_2_to(backend) : sent.encapsulated_to(backend);
        sent.tx().counted({"sent"});
        expect_turned_back(of_length(Packet(protocol, client, vip), room + 1),
                           static_cast<std::uint32_t>(room));
        expect_turned_back(of_length(Packet(protocol, client, vip), 3000), static_cast<std::uint32_t>(room));
      }
    }
  }
}

// Pieces made on the way would be lost to a network that spreads them: the client makes smaller ones.
TEST_F(BalancerRouter, turns_back_packets_that_may_be_fragmented_too) {
  narrow(b1, 1500);
  expect_turned_back(of_length(udp4(client4, vip4).may_be_fragmented(), 1481), 1480);
}

TEST_F(BalancerRouter, turns_back_packets_in_tags_with_options_and_first_fragments) {
  narrow(b1, 1500);
  expect_turned_back(of_length(tcp4(client4, vip4).vlan(7), 1481), 1480);
  expect_turned_back(of_length(udp6(client6, vip6).extension(60).vlan(1).vlan(2), 1481), 1480);
  const Packet options = of_length(tcp4(client4, vip4).options(2), 1481);
  expect(balancer.run(options))
      .answered_by(error_about(options, vip4.address, 3, 4, 36, 1480))
      .counted({"too_big_answered"});
  const Packet first = udp4(client4, vip4).payload(3000).piece(0, 1480);
  expect(balancer.run(first))
      .answered_by(error_about(first, vip4.address, 3, 4, 28, 1480))
      .counted({"too_big_answered"});
}

TEST_F(BalancerRouter, drops_later_fragments_that_do_not_fit) {
  narrow(b1, 1500);
  const Packet datagram = udp4(client4, vip4).payload(3000);
  balancer.run(datagram.piece(0, 800)).tx();
  expect(balancer.run(datagram.piece(100, 1480))).dropped().counted({"too_big_dropped", "by_record"});
}

// RFC 8200 section 5: no client need go below 1280 bytes.
TEST_F(BalancerRouter, never_asks_for_less_than_the_smallest_mtu) {
  narrow(b1, 1290);
  expect_turned_back(of_length(tcp6(client6, vip6), 1281), 1280);
  expect_dropped(of_length(tcp6(client6, vip6), 1280), "too_big_dropped");
  expect_dropped(of_length(udp6(client6, vip6), 1271), "too_big_dropped");
  expect(balancer.run(of_length(udp6(client6, vip6), 1270))).tx().encapsulated_to(b1).counted({"sent"});
  narrow(b1, 10);
  expect_turned_back(of_length(tcp4(client4, vip4), 69), 68);
  expect_dropped(of_length(tcp4(client4, vip4), 68), "too_big_dropped");
}

TEST_F(BalancerRouter, judges_no_size_where_the_mtu_is_not_known) {
  expect(balancer.run(of_length(udp4(client4, vip4), 3400))).tx().encapsulated_to(b1).counted({"sent"});
}

TEST_F(BalancerRouter, judges_the_ttl_before_the_size) {
  narrow(b1, 1500);
  expect_time_exceeded(of_length(tcp4(client4, vip4).ttl(1), 1481), 28);
}

TEST_F(BalancerRouter, sends_so_many_errors_a_second_and_no_more) {
  narrow(b1, 1500);
  const auto limited = [this](const Packet& packet, const std::string& counter) {
    Outcome outcome;
    for (int attempt = 0; attempt < 10 && outcome.counters.count("answers_limited") == 0; attempt++) {
      balancer.spend_answers();  // of this second, which may end before the packet comes
      outcome = balancer.run(packet);
    }
    outcome.dropped().counted({counter, "answers_limited"}).no_traffic();
  };
  limited(tcp4(client4, vip4).ttl(1), "ttl_dropped");
  limited(of_length(udp6(client6, vip6), 1481), "too_big_dropped");
  for (std::uint32_t i = 0; i <= service; i++) {
    balancer.rewrite_service(i, [](phx_service& row) { row.no_backend = PHX_NO_BACKEND_REJECT; });
  }
  balancer.take_down(b1);
  balancer.take_down(b2);
  limited(udp4(client4, vip4), "no_backend_dropped");
  balancer.spend_answers();
  expect(balancer.run(tcp4(client4, vip4).flags(kAck).payload(0).numbers(1, 2)))  // no ICMP
      .answered_by(tcp4(vip4, client4).flags(kRst).payload(0).numbers(2, 0).window(0))
      .counted({"rejected"});
}

TEST_F(BalancerRouter, drops_what_it_may_answer_but_has_no_room_to) {
  narrow(b1, 1500);
  expect(balancer.run(tcp4(client4, vip4).ttl(1), 212)).dropped().counted({"ttl_dropped"});
  expect(balancer.run(of_length(udp6(client6, vip6), 1481), 212)).dropped().counted({"too_big_dropped"});
}

}  // namespace
}  // namespace phalanx::test

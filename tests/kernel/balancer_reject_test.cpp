// SPDX-License-Identifier: Apache-2.0
// What becomes of packets that no backend takes: the service's no_backend rule.
#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIcmp6 = 58;

// Services of both protocols and families whose primary and backup are down.
class BalancerWithoutBackend : public Balancer {
 protected:
  BalancerWithoutBackend() {
    for (const Endpoint& vip : {vip4, vip6}) {
      for (const std::uint8_t protocol : {kTcp, kUdp})
        services.push_back(balancer.serve(protocol, vip, b1, b2));
    }
    balancer.take_down(b1);
    balancer.take_down(b2);
  }

  void rule(phx_no_backend rule) {
    for (const auto service : services) {
      balancer.rewrite_service(service, [&](phx_service& row) { row.no_backend = rule; });
    }
  }

  std::vector<std::uint32_t> services;
};

// A frame that answers `asked`: back to the station it came from.
Bytes answer_frame(const Packet& answer, const Packet& asked) {
  Packet plain = answer;
  Bytes frame = plain.ttl(64).label(0).frame();
  const Bytes request = asked.frame();
  std::copy(request.begin() + 6, request.begin() + 12, frame.begin());
  std::copy(request.begin(), request.begin() + 6, frame.begin() + 6);
  return frame;
}

class BalancerRejects : public BalancerWithoutBackend {
 protected:
  BalancerRejects() { rule(PHX_NO_BACKEND_REJECT); }

  void expect_answer(const Packet& asked, const Packet& answer) {
    const Outcome outcome = balancer.run(asked);
    outcome.tx().counted({"rejected"}).no_traffic();
    EXPECT_EQ(hex(outcome.result.frame), hex(answer_frame(answer, asked)));
  }
  void expect_reset(const Packet& asked, std::uint8_t flags, std::uint32_t sequence,
                    std::uint32_t acknowledgment) {
    expect_answer(asked, Packet(kTcp, asked.to(), asked.from())
                             .payload(0)
                             .window(0)
                             .flags(flags)
                             .numbers(sequence, acknowledgment));
  }
  void expect_unreachable(const Packet& asked, std::size_t quoted) {
    const bool ipv6 = is_ipv6(asked.to().address);
    Bytes error = ipv6 ? Bytes{1, 4, 0, 0, 0, 0, 0, 0} : Bytes{3, 3, 0, 0, 0, 0, 0, 0};
    append(error, part(asked.ip(), 0, quoted));
    Bytes covered;
    if (ipv6) {  // RFC 8200 section 8.1
      append(covered, address_bytes(asked.to().address));
      append(covered, address_bytes(asked.from().address));
      append16(covered, 0);
      append16(covered, static_cast<unsigned>(error.size()));
      append(covered, {0, 0, 0, kIcmp6});
    }
    append(covered, error);
    const unsigned checksum = internet_checksum(covered);
    error[2] = static_cast<std::uint8_t>(checksum >> 8);
    error[3] = static_cast<std::uint8_t>(checksum);
    const Endpoint client{asked.from().address, 0};
    expect_answer(asked, Packet(ipv6 ? kIcmp6 : kIcmp, asked.to(), client).carrying(error));
  }
  void expect_dropped(const Packet& packet) {
    expect(balancer.run(packet)).dropped().counted({"no_backend_dropped"}).no_traffic();
  }
};

// RFC 9293 section 3.10.7.1.
TEST_F(BalancerRejects, syns_with_a_reset_that_acknowledges_them) {
  for (const auto& [client, vip] : {std::pair(client4, vip4), std::pair(client6, vip6)}) {
    expect_reset(Packet(kTcp, client, vip).flags(kSyn).payload(0).numbers(0x11223344, 0), kRst | kAck, 0,
                 0x11223345);
    expect_reset(Packet(kTcp, client, vip).flags(kSyn).payload(0).numbers(0xffffffff, 7), kRst | kAck, 0, 0);
    expect_reset(Packet(kTcp, client, vip).flags(kSyn).payload(9).numbers(100, 0), kRst | kAck, 0, 110);
  }
}

TEST_F(BalancerRejects, segments_without_ack_with_a_reset_that_acknowledges_all_of_them) {
  for (const auto& [client, vip] : {std::pair(client4, vip4), std::pair(client6, vip6)}) {
    for (const std::size_t size : {0u, 1u, 2u, 3u, 700u, 1460u, 3000u}) {
      const auto bytes = static_cast<std::uint32_t>(size);
      Packet packet(kTcp, client, vip);
      expect_reset(packet.payload(size).numbers(5, 6).flags(kPush), kRst | kAck, 0, 5 + bytes);
      expect_reset(packet.flags(kFin), kRst | kAck, 0, 6 + bytes);
      expect_reset(packet.flags(kFin | kSyn), kRst | kAck, 0, 7 + bytes);
      expect_reset(packet.flags(0), kRst | kAck, 0, 5 + bytes);
    }
  }
}

TEST_F(BalancerRejects, segments_with_ack_with_a_reset_at_the_number_they_expect) {
  for (const auto& [client, vip] : {std::pair(client4, vip4), std::pair(client6, vip6)}) {
    for (const unsigned flags : {0u, 0u + kPush, 0u + kFin, 0u + kSyn}) {
      const auto with_ack = static_cast<std::uint8_t>(flags | kAck);
      expect_reset(Packet(kTcp, client, vip).flags(with_ack).numbers(1, 0xfedcba98), kRst, 0xfedcba98, 0);
    }
  }
}

TEST_F(BalancerRejects, segments_with_options_which_are_no_payload) {
  for (std::uint8_t words = 5; words <= 13; words++) {
    for (const auto& [client, vip] : {std::pair(client4, vip4), std::pair(client6, vip6)}) {
      expect_reset(
          Packet(kTcp, client, vip).flags(kSyn).claiming_data_offset(words).payload(32).numbers(1000, 0),
          kRst | kAck, 0, 1000 + 1 + 32 - (words - 5u) * 4);
    }
  }
}

TEST_F(BalancerRejects, never_a_reset) {
  for (const auto& [client, vip] : {std::pair(client4, vip4), std::pair(client6, vip6)}) {
    for (const unsigned flags : {0u, 0u + kAck, 0u + kSyn, 0u + kFin, 0u + kFin + kAck}) {
      expect_dropped(Packet(kTcp, client, vip).flags(static_cast<std::uint8_t>(flags | kRst)));
    }
  }
}

TEST_F(BalancerRejects, no_segment_whose_data_offset_lies) {
  for (const auto& [client, vip] : {std::pair(client4, vip4), std::pair(client6, vip6)}) {
    for (std::uint8_t words = 0; words < 5; words++) {
      expect_dropped(Packet(kTcp, client, vip).flags(kSyn).claiming_data_offset(words));
    }
    expect_dropped(Packet(kTcp, client, vip).flags(kSyn).claiming_data_offset(14).payload(32));
  }
}

TEST_F(BalancerRejects, ipv4_datagrams_with_their_header_and_eight_bytes) {
  for (std::size_t size = 0; size < 60; size++) expect_unreachable(udp4(client4, vip4).payload(size), 28);
  expect_unreachable(udp4(client4, vip4).payload(3000), 28);
  expect_unreachable(udp4(client4, vip4).traffic_class(0xff), 28);
}

// RFC 4443 section 2.4 (c): as much as fits into 1280 bytes.
TEST_F(BalancerRejects, ipv6_datagrams_with_as_much_of_them_as_the_smallest_mtu_takes) {
  for (std::size_t size = 0; size < 3000; size += size < 40 || (size > 1170 && size < 1200) ? 1 : 13) {
    expect_unreachable(udp6(client6, vip6).payload(size), std::min<std::size_t>(48 + size, 1280 - 48));
  }
}

TEST_F(BalancerRejects, packets_in_padded_frames_without_the_padding) {
  expect_reset(tcp4(client4, vip4).flags(kSyn).payload(0).numbers(9, 0).padded_to(60), kRst | kAck, 0, 10);
  expect_unreachable(udp4(client4, vip4).payload(1).padded_to(60), 28);
  expect_unreachable(udp6(client6, vip6).payload(1).padded_to(80), 49);
}

// RFC 1122 sections 3.2.2 and 4.2.3.10, RFC 4443 section 2.4 (e).
TEST_F(BalancerRejects, nothing_that_came_from_or_went_to_a_group) {
  for (const std::uint8_t protocol : {kTcp, kUdp}) {
    for (const char* source : {"0.0.0.0", "224.0.0.1", "255.255.255.255"}) {
      expect_dropped(Packet(protocol, {source, 99}, vip4));
    }
    for (const char* source : {"::", "ff02::1"}) expect_dropped(Packet(protocol, {source, 99}, vip6));
    expect_dropped(Packet(protocol, client4, vip4).destination_mac(0xffffffffffff));
    expect_dropped(Packet(protocol, client6, vip6).destination_mac(0x333300000001));
  }
}

TEST_F(BalancerRejects, nothing_when_the_driver_left_no_room_for_the_error) {
  expect(balancer.run(udp4(client4, vip4), 212)).dropped().counted({"no_backend_dropped"});
  expect(balancer.run(udp6(client6, vip6), 212)).dropped().counted({"no_backend_dropped"});
}

TEST_F(BalancerRejects, only_as_long_as_no_backend_is_up) {
  balancer.set_state(b2, PHX_STATE_UP);
  expect(balancer.run(tcp4(client4, vip4))).tx().encapsulated_to(b2).counted({"sent", "by_backup"});
}

TEST_F(BalancerRejects, packets_of_tracked_slots_too_and_remembers_none) {
  for (const auto service : services) {
    balancer.rewrite_slots(service, {b1.entry, b2.entry, PHX_NO_ENTRY, PHX_SLOT_TRACKED});
  }
  expect_reset(tcp4(client4, vip4).flags(kSyn).payload(0).numbers(9, 0), kRst | kAck, 0, 10);
  expect_unreachable(udp6(client6, vip6), 80);
  EXPECT_EQ(balancer.flows(), 0u);
}

// ------------------------------------------------------------------------------------ drop and last-good

TEST_F(BalancerWithoutBackend, drops_without_a_word_by_the_drop_rule) {
  rule(PHX_NO_BACKEND_DROP);
  for (const Packet& packet :
       {tcp4(client4, vip4), udp4(client4, vip4), tcp6(client6, vip6), udp6(client6, vip6)}) {
    expect(balancer.run(packet)).dropped().counted({"no_backend_dropped"}).no_traffic();
  }
}

TEST_F(BalancerWithoutBackend, sends_to_the_primary_all_the_same_by_the_last_good_rule) {
  rule(PHX_NO_BACKEND_LAST_GOOD);
  for (const std::uint64_t state : {std::uint64_t{PHX_STATE_REACHABLE}, std::uint64_t{0}}) {
    balancer.set_state(b1, state);
    for (const Packet& packet :
         {tcp4(client4, vip4), udp4(client4, vip4), tcp6(client6, vip6), udp6(client6, vip6)}) {
      expect(balancer.run(packet)).tx().encapsulated_to(b1).counted({"sent", "last_good"});
    }
  }
}

TEST_F(BalancerWithoutBackend, remembers_nothing_of_packets_sent_by_the_last_good_rule) {
  rule(PHX_NO_BACKEND_LAST_GOOD);
  for (const auto service : services) {
    balancer.rewrite_slots(service, {b1.entry, b2.entry, PHX_NO_ENTRY, PHX_SLOT_TRACKED});
  }
  expect(balancer.run(tcp4(client4, vip4).flags(kSyn)))
      .tx()
      .encapsulated_to(b1)
      .counted({"sent", "last_good"});
  EXPECT_EQ(balancer.flows(), 0u);
}

TEST_F(BalancerWithoutBackend, drops_by_the_last_good_rule_what_has_no_primary_or_no_next_hop) {
  rule(PHX_NO_BACKEND_LAST_GOOD);
  const std::uint16_t free_row = 40;
  for (const std::uint16_t primary : {std::uint16_t{PHX_NO_ENTRY}, free_row}) {
    balancer.rewrite_slots(services[0], {primary, b2.entry, PHX_NO_ENTRY, 0});
    expect(balancer.run(tcp4(client4, vip4))).dropped().counted({"no_backend_dropped"}).no_traffic();
  }
  balancer.rewrite_slots(services[0], {b1.entry, b2.entry, PHX_NO_ENTRY, 0});
  balancer.set_state(b1, PHX_STATE_NEXT_HOP);  // whose second row was never written
  expect(balancer.run(tcp4(client4, vip4))).dropped().counted({"no_backend_dropped"}).no_traffic();
}

}  // namespace
}  // namespace phalanx::test

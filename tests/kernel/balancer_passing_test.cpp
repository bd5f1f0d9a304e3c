// SPDX-License-Identifier: Apache-2.0
// What is for a VIP but for no service passes with a counter; what is for no VIP passes as if nobody were
// there.
#include <linux/bpf.h>

#include <random>

#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

constexpr std::uint8_t kEsp = 50;
constexpr std::uint8_t kGre = 47;

class BalancerPasses : public Balancer {
 protected:
  BalancerPasses() {
    balancer.serve(kTcp, vip4, b1, b2);
    balancer.serve(kUdp, vip4, b1, b2);
    balancer.serve(kTcp, vip6, b1, b2);
    balancer.serve(kUdp, vip6, b1, b2);
  }

  void expect_passed(const Packet& packet, const std::string& counter) {
    SCOPED_TRACE(counter);
    expect(balancer.run(packet)).passed().unchanged().counted({counter}).no_traffic();
  }

  const Endpoint stranger4{"192.0.2.99", 80};
  const Endpoint stranger6{"2001:db8::99", 80};
};

TEST_F(BalancerPasses, ports_without_a_service) {
  expect_passed(tcp4(client4, {vip4.address, 81}), "unmatched_passed");
  expect_passed(udp4(client4, {vip4.address, 53}), "unmatched_passed");
  expect_passed(tcp6(client6, {vip6.address, 0}), "unmatched_passed");
  expect_passed(udp6(client6, {vip6.address, 65535}), "unmatched_passed");
}

TEST_F(BalancerPasses, other_protocols) {
  expect_passed(tcp4(client4, vip4).protocol(kGre), "protocol_passed");
  expect_passed(tcp4(client4, vip4).protocol(132), "protocol_passed");
  expect_passed(tcp6(client6, vip6).protocol(kEsp), "protocol_passed");
  expect_passed(tcp6(client6, vip6).protocol(59), "protocol_passed");
  expect_passed(tunnel("203.0.113.7", vip4.address, tcp4(client4, vip4)), "protocol_passed");
}

// A tunnel that ends at a VIP is the node's own, or nobody's: nothing looks into it.
TEST_F(BalancerPasses, tunnels_that_end_at_a_vip) {
  for (const Packet& inner : {tcp4(client4, vip4), udp6(client6, vip6)}) {
    for (const auto& [node, vip] : {std::pair(client4, vip4), std::pair(client6, vip6)}) {
      const Packet once = tunnel(node.address, vip.address, inner);
      expect_passed(once, "protocol_passed");
      expect_passed(tunnel(node.address, vip.address, once), "protocol_passed");
      expect_passed(Packet(once).vlan(7), "protocol_passed");
    }
  }
  expect_passed(udp4(client4, {vip4.address, 6080}), "unmatched_passed");
}

TEST_F(BalancerPasses, icmp_that_is_no_echo_request) {
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{0, 3, 5, 11, 13, 128, 255}) {
    expect_passed(ping4(client4, vip4).icmp_type(type), "icmp_passed");
  }
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{1, 2, 3, 129, 133, 135, 136, 8}) {
    expect_passed(ping6(client6, vip6).icmp_type(type), "icmp_passed");
  }
  expect_passed(ping4(client4, vip4).icmp_type(8, 1), "icmp_passed");
  expect_passed(ping6(client6, vip6).icmp_type(128, 1), "icmp_passed");
}

TEST_F(BalancerPasses, headers_that_lie) {
  const auto malformed = [this](const Packet& packet) { expect_passed(packet, "malformed_passed"); };
  malformed(tcp4(client4, vip4).claiming_version(5));
  malformed(tcp4(client4, vip4).claiming_version(6));
  malformed(tcp6(client6, vip6).claiming_version(4));
  for (std::uint8_t words = 0; words < 5; words++)
    malformed(tcp4(client4, vip4).claiming_header_words(words));
  malformed(tcp4(client4, vip4).payload(0).claiming_length(41));
  malformed(tcp4(client4, vip4).claiming_length(65535));
  for (std::uint16_t length = 0; length < 40; length++)
    malformed(tcp4(client4, vip4).claiming_length(length));
  for (std::uint16_t length = 0; length < 28; length++)
    malformed(udp4(client4, vip4).claiming_length(length));
  for (std::uint16_t length = 0; length < 28; length++)
    malformed(ping4(client4, vip4).claiming_length(length));
  for (std::uint16_t length = 0; length < 20; length++)
    malformed(tcp6(client6, vip6).claiming_length(length));
  for (std::uint16_t length = 0; length < 8; length++)
    malformed(ping6(client6, vip6).claiming_length(length));
  malformed(udp6(client6, vip6).payload(0).claiming_length(9));
  malformed(udp6(client6, vip6).claiming_length(65535));
  malformed(tcp4(client4, vip4).options(3).claiming_header_words(15).claiming_length(59));
}

// From a bare Ethernet header on: as long as the destination is cut off, the frame is nobody's.
TEST_F(BalancerPasses, frames_cut_off_at_any_byte) {
  const std::pair<Packet, std::size_t> whole[] = {
      {tcp4(client4, vip4).payload(3), 34}, {udp4(client4, vip4).payload(3), 34}, {ping4(client4, vip4), 34},
      {tcp6(client6, vip6).payload(3), 54}, {udp6(client6, vip6).payload(3), 54}, {ping6(client6, vip6), 54}};
  for (const auto& [packet, destination_end] : whole) {
    const Bytes frame = packet.frame();
    for (std::size_t size = 14; size < frame.size(); size++) {
      const Outcome outcome = balancer.run(part(frame, 0, size));
      if (size < destination_end) {
        outcome.ignored();
      } else {
        outcome.passed().unchanged().counted({"malformed_passed"}).no_traffic();
      }
    }
    expect(balancer.run(frame)).tx();
  }
}

// With whether the VIP filter knows them for foreign.
class BalancerPassesForeign : public BalancerPasses, public testing::WithParamInterface<bool> {
 protected:
  BalancerPassesForeign() {
    if (GetParam()) balancer.fill_vip_filter();
  }
};
INSTANTIATE_TEST_SUITE_P(FilterFull, BalancerPassesForeign, testing::Bool());

TEST_P(BalancerPassesForeign, packets_of_every_shape_untouched_and_uncounted) {
  const auto foreign = [this](const Packet& packet) { balancer.run(packet).ignored(); };
  foreign(tcp4(client4, stranger4));
  foreign(udp4(client4, stranger4));
  foreign(ping4(client4, stranger4));
  foreign(tcp6(client6, stranger6));
  foreign(udp6(client6, stranger6));
  foreign(ping6(client6, stranger6));
  foreign(tcp4(vip4, client4));  // what comes from a VIP is not for it
  foreign(tcp6(vip6, client6));
  foreign(tcp4(client4, stranger4).ttl(1));
  foreign(tcp6(client6, stranger6).ttl(0));
  foreign(tcp4(client4, stranger4).options(2));
  foreign(tcp4(client4, stranger4).fragment(0, true));
  foreign(tcp4(client4, stranger4).fragment(3, true));
  foreign(udp4(client4, stranger4).fragment(3, false));
  foreign(tcp4(client4, stranger4).vlan(7));
  foreign(tcp6(client6, stranger6).vlan(7));
  foreign(tcp6(client6, stranger6).vlan(100, 0x88a8).vlan(7));
  foreign(udp4(client4, stranger4).vlan(7).options(1));
  foreign(ping4(client4, stranger4).vlan(7));
  foreign(error_about(tcp4(stranger4, client4), "192.0.2.1", 3, 4));
  foreign(error_about(tcp6(stranger6, client6), "2001:db8::1", 2, 0));
  foreign(tcp4(client4, stranger4).protocol(kGre));
  foreign(tcp4(client4, stranger4).claiming_length(7));
  foreign(tcp6(client6, stranger6).extension(0));
  foreign(tcp6(client6, stranger6).fragment(0, true));
  foreign(tcp6(client6, stranger6).fragment(1, true));
  foreign(tcp6(client6, stranger6).fragment(0, false));
  foreign(tunnel(client4.address, stranger4.address, tcp4(client4, vip4)));
  foreign(tcp4(client4, vip4).vlan(1).vlan(2).vlan(3));
}

TEST_P(BalancerPassesForeign, ipv6_addresses_that_look_like_an_ipv4_vip) {
  for (const char* address :
       {"::ffff:198.51.100.10", "::198.51.100.10", "64:ff9b::198.51.100.10", "c633:640a::"}) {
    balancer.run(tcp6(client6, {address, 80})).ignored();
    balancer.run(ping6(client6, {address, 0})).ignored();
  }
}

TEST_P(BalancerPassesForeign, arp_and_other_ethernet_protocols) {
  for (const unsigned type : {0x0806u, 0x8847u, 0x88ccu, 0x0004u, 0x8864u, 0x0000u, 0xffffu}) {
    Bytes frame = tcp4(client4, vip4).frame();
    frame[12] = static_cast<std::uint8_t>(type >> 8);
    frame[13] = static_cast<std::uint8_t>(type);
    balancer.run(frame).ignored();
  }
}

TEST_P(BalancerPassesForeign, garbage_of_every_length) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (std::size_t size = 14; size < 400; size++) {
    Bytes frame(size);
    for (std::uint8_t& byte : frame) byte = static_cast<std::uint8_t>(random());
    balancer.run(frame).ignored();
    frame[12] = 0x08, frame[13] = 0x00;
    balancer.run(frame).ignored();
    frame[12] = 0x86, frame[13] = 0xdd;
    balancer.run(frame).ignored();
    frame[12] = 0x81, frame[13] = 0x00;
    balancer.run(frame).ignored();
  }
}

// Bytes of good packets overwritten at random: whatever comes out, what is sent is what came in, in a tunnel
// to a backend and one hop older, and what is passed is what came in.
TEST_F(BalancerPasses, or_forwards_damaged_packets_but_never_anything_else) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const Packet good[] = {tcp4(client4, vip4),
                         udp6(client6, vip6),
                         ping4(client4, vip4),
                         tcp6(client6, vip6).fragment(0, true),
                         udp4(client4, vip4).fragment(2, true),
                         tcp4(client4, vip4).vlan(3),
                         udp4(client4, vip4).options(3),
                         udp6(client6, vip6).extension(0).extension(51, 12).extension(60, 24),
                         error_about(udp4(vip4, client4), "192.0.2.1", 3, 3),
                         error_about(tcp6(vip6, client6).extension(60), "2001:db8::1", 2, 0)};
  for (int round = 0; round < 20000; round++) {
    const Packet& packet = good[random() % std::size(good)];
    Bytes frame = packet.frame();
    for (auto left = random() % 3 + 1; left > 0; left--) {
      frame[12 + random() % (frame.size() - 12)] = static_cast<std::uint8_t>(random());
    }
    const Outcome outcome = balancer.run(frame);
    const std::size_t ip = 14 + packet.tag_bytes();
    if (outcome.counters.empty()) {
      outcome.ignored();
    } else if (outcome.counters.count("sent") != 0) {
      const bool ipv6 = frame[ip - 2] == 0x86;
      Bytes sent = part(outcome.result.frame, 34, frame.size());
      ASSERT_EQ(hex(part(outcome.result.frame, 30, 4)), hex(address_bytes(b1.address)));
      ASSERT_EQ(sent.at(ipv6 ? 7 : 8) + 1, frame[ip + (ipv6 ? 7 : 8)]);
      sent[ipv6 ? 7 : 8]++;
      if (!ipv6) sent.at(10) = frame[ip + 10], sent.at(11) = frame[ip + 11];
      ASSERT_EQ(hex(sent), hex(part(frame, ip, frame.size())));
    } else if (outcome.result.verdict == XDP_PASS) {
      outcome.unchanged().no_traffic();
      ASSERT_EQ(outcome.counters.size(), 1u + outcome.counters.count("fragment_recorded"));
      ASSERT_LE(outcome.counters.count("fragment_recorded"), outcome.counters.count("unmatched_passed"));
    } else {
      outcome.no_traffic();
      ASSERT_TRUE(outcome.result.verdict == XDP_DROP || outcome.result.verdict == XDP_TX);
    }
  }
}

}  // namespace
}  // namespace phalanx::test

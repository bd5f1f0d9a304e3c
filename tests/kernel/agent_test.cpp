// SPDX-License-Identifier: Apache-2.0
// The agent takes packets for VIPs out of the tunnels of its nodes, and leaves everything else alone.
#include <random>

#include "agent_run.hpp"

namespace phalanx::test {
namespace {

TEST_F(Agent, decapsulates_all_four_forms) {
  const Packet in4 = tcp4(client4, vip4).payload(100);
  const Packet in6 = udp6(client6, vip6).payload(101);
  expect_decapsulated(tunnel(node4, self4, in4), in4, "decapsulated_4in4");
  expect_decapsulated(tunnel(node4, self4, in6), in6, "decapsulated_6in4");
  expect_decapsulated(tunnel(node6, self6, in4), in4, "decapsulated_4in6");
  expect_decapsulated(tunnel(node6, self6, in6), in6, "decapsulated_6in6");
}

TEST_F(Agent, decapsulates_packets_of_every_size) {
  for (std::size_t size = 0; size < 3000; size += size < 64 ? 1 : 101) {
    const Packet in4 = udp4(client4, vip4).payload(size);
    expect_decapsulated(tunnel(node4, self4, in4), in4, "decapsulated_4in4");
  }
}

TEST_F(Agent, decapsulates_fragments_and_options_inside) {
  const Packet fragment = udp4(client4, vip4).fragment(9, true);
  const Packet options = tcp4(client4, vip4).options(4);
  expect_decapsulated(tunnel(node4, self4, fragment), fragment, "decapsulated_4in4");
  expect_decapsulated(tunnel(node6, self6, options), options, "decapsulated_4in6");
}

TEST_F(Agent, keeps_the_padding_of_a_short_frame_out_of_the_packet) {
  const Packet inner = udp4(client4, vip4).payload(0);
  Packet padded = inner;
  expect_decapsulated(tunnel(node4, self4, inner).padded_to(80), padded.padded_to(60), "decapsulated_4in4");
}

// RFC 6040 figure 4, whole.
TEST_F(Agent, makes_one_of_the_congestion_marks_inside_and_outside) {
  constexpr std::uint8_t kNone = 0, kOne = 1, kZero = 2, kMarked = 3;
  constexpr int kDropped = -1;
  constexpr std::uint8_t kDscp = 0x28;
  const struct {
    std::uint8_t inner, outer;
    int left;
  } table[] = {{kNone, kNone, kNone},      {kNone, kZero, kNone},     {kNone, kOne, kNone},
               {kNone, kMarked, kDropped}, {kZero, kNone, kZero},     {kZero, kZero, kZero},
               {kZero, kOne, kOne},        {kZero, kMarked, kMarked}, {kOne, kNone, kOne},
               {kOne, kZero, kOne},        {kOne, kOne, kOne},        {kOne, kMarked, kMarked},
               {kMarked, kNone, kMarked},  {kMarked, kZero, kMarked}, {kMarked, kOne, kMarked},
               {kMarked, kMarked, kMarked}};
  for (const auto& row : table) {
    SCOPED_TRACE("inner " + std::to_string(row.inner) + ", outer " + std::to_string(row.outer));
    const auto inner_class = static_cast<std::uint8_t>(kDscp | row.inner);
    const Packet in4 = tcp4(client4, vip4).traffic_class(inner_class);
    const Packet in6 = tcp6(client6, vip6).traffic_class(inner_class);
    const auto left_class = static_cast<std::uint8_t>(kDscp | (row.left & 3));
    const Packet out4 = tcp4(client4, vip4).traffic_class(left_class);
    const Packet out6 = tcp6(client6, vip6).traffic_class(left_class);
    const auto expect_made_one = [&](Packet tunnelled, const Packet& left, const std::string& counter) {
      tunnelled.traffic_class(row.outer);
      if (row.left == kDropped) {
        expect_refused(tunnelled, "refused_congested");
      } else {
        expect_decapsulated(tunnelled, left, counter);
      }
    };
    expect_made_one(tunnel(node4, self4, in4), out4, "decapsulated_4in4");
    expect_made_one(tunnel(node6, self6, in4), out4, "decapsulated_4in6");
    expect_made_one(tunnel(node4, self4, in6), out6, "decapsulated_6in4");
    expect_made_one(tunnel(node6, self6, in6), out6, "decapsulated_6in6");
    expect_made_one(gue_tunnel(node4, self4, in4), out4, "decapsulated_gue_4in4");
    expect_made_one(gue_tunnel(node6, self6, in6), out6, "decapsulated_gue_6in6");
  }
}

TEST_F(Agent, refuses_tunnel_packets_for_a_vip_from_strangers) {
  expect_refused(tunnel(stranger4, self4, tcp4(client4, vip4)), "refused_source");
  expect_refused(tunnel(stranger4, self4, tcp6(client6, vip6)), "refused_source");
  expect_refused(tunnel(stranger6, self6, tcp4(client4, vip4)), "refused_source");
  expect_refused(tunnel(stranger6, self6, tcp6(client6, vip6)), "refused_source");
  expect_refused(tunnel(stranger4, self4, tcp4(client4, vip4).claiming_length(9999)), "refused_source");
}

TEST_F(Agent, knows_single_nodes_and_networks_of_nodes_of_both_families) {
  agent.add_nodes("10.0.7.9", 32);
  agent.add_nodes("fd00:7::", 33);
  const Packet inner = tcp4(client4, vip4);
  expect_decapsulated(tunnel("10.0.7.9", self4, inner), inner, "decapsulated_4in4");
  expect_refused(tunnel("10.0.7.8", self4, inner), "refused_source");
  expect_decapsulated(tunnel("10.0.0.255", self4, inner), inner, "decapsulated_4in4");
  expect_refused(tunnel("10.0.1.0", self4, inner), "refused_source");
  expect_decapsulated(tunnel("fd00:7:7fff::1", self6, inner), inner, "decapsulated_4in6");
  expect_refused(tunnel("fd00:7:8000::1", self6, inner), "refused_source");
}

TEST_F(Agent, does_not_take_an_ipv6_source_for_an_ipv4_node) {
  expect_refused(tunnel("0a00:0005::", self6, tcp4(client4, vip4)), "refused_source");
  expect_refused(tunnel("::ffff:10.0.0.5", self6, tcp4(client4, vip4)), "refused_source");
}

TEST_F(Agent, refuses_inner_packets_that_lie) {
  const auto refused = [this](const Packet& inner) {
    expect_refused(tunnel(node4, self4, inner), "refused_inner");
    expect_refused(tunnel(node6, self6, inner), "refused_inner");
  };
  refused(tcp4(client4, vip4).claiming_length(19));
  refused(tcp4(client4, vip4).payload(0).claiming_length(41));
  refused(tcp4(client4, vip4).claiming_header_words(4));
  refused(tcp4(client4, vip4).payload(0).options(1).claiming_header_words(15).claiming_length(44));
  refused(tcp4(client4, vip4).claiming_version(6));
  refused(tcp6(client6, vip6).claiming_version(4));
  refused(tcp6(client6, vip6).payload(0).claiming_length(21));
  expect_refused(tunnel(node4, self4, tcp4(client4, vip4).ip(), true), "refused_inner");
  expect_refused(tunnel(node4, self4, tcp6(client6, vip6).ip(), false), "refused_inner");
  expect_refused(tunnel(node4, self4, tcp4(client4, vip4)).claiming_header_words(4), "refused_inner");
  expect_refused(tunnel(node4, self4, tcp4(client4, vip4)).claiming_length(2000), "refused_inner");
}

TEST_F(Agent, refuses_tunnel_packets_cut_off_at_any_byte) {
  struct Case {
    Bytes frame;
    std::size_t outer_end;
  };
  const Case whole[] = {{tunnel(node4, self4, tcp4(client4, vip4).payload(3)).frame(), 34},
                        {tunnel(node4, self4, tcp6(client6, vip6).payload(3)).frame(), 34},
                        {tunnel(node6, self6, tcp4(client4, vip4).payload(3)).frame(), 54},
                        {tunnel(node6, self6, tcp6(client6, vip6).payload(3)).frame(), 54}};
  for (const auto& [frame, outer_end] : whole) {
    for (std::size_t size = 14; size < frame.size(); size++) {
      const Outcome outcome = agent.run(part(frame, 0, size));
      if (size < outer_end) {
        outcome.ignored();
      } else {
        outcome.dropped().counted({"refused_inner"});
      }
    }
  }
}

TEST_F(Agent, passes_fragments_and_options_of_a_nodes_tunnel_to_the_kernel) {
  const Packet inner = tcp4(client4, vip4);
  expect_passed(tunnel(node4, self4, inner).fragment(0, true), "fragment_passed");
  expect_passed(tunnel(node4, self4, inner).fragment(100, false), "fragment_passed");
  expect_passed(tunnel(node6, self6, inner).fragment(0, true), "fragment_passed");
  expect_passed(tunnel(node4, self4, inner).options(2), "options_passed");
  agent.run(tunnel(stranger4, self4, inner).fragment(0, true)).ignored();
  agent.run(tunnel(stranger6, self6, inner).fragment(0, true)).ignored();
  agent.run(tunnel(stranger4, self4, inner).options(2)).ignored();
}

TEST_F(Agent, passes_tunnel_packets_for_addresses_that_are_no_vip) {
  const Packet elsewhere = tcp4(client4, {"198.51.100.11", 80});
  expect_passed(tunnel(node4, self4, elsewhere), "not_vip_passed");
  expect_passed(tunnel(node6, self6, tcp6(client6, {"2001:db8:e::11", 80})), "not_vip_passed");
  agent.run(tunnel(stranger4, self4, elsewhere)).ignored();
  agent.run(tunnel(stranger4, self4, Bytes{1, 2, 3}, false)).ignored();
}

TEST_F(Agent, leaves_what_is_no_tunnel_alone) {
  agent.run(tcp4(client4, vip4)).ignored();
  agent.run(udp6(client6, vip6)).ignored();
  agent.run(tcp4({node4, 1}, {self4, 22})).ignored();
  agent.run(udp6({node6, 1}, {self6, 53}).fragment(0, true)).ignored();
  agent.run(tunnel(node4, self4, tcp4(client4, vip4)).vlan(7)).ignored();
  agent.run(tunnel(node4, self4, tcp4(client4, vip4)).claiming_version(5)).ignored();
}

TEST_F(Agent, leaves_garbage_of_every_length_alone) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (std::size_t size = 14; size < 300; size++) {
    Bytes frame(size);
    for (std::uint8_t& byte : frame) byte = static_cast<std::uint8_t>(random());
    agent.run(frame).ignored();
    frame[12] = 0x08, frame[13] = 0x00;
    agent.run(frame).ignored();
    frame[12] = 0x86, frame[13] = 0xdd;
    agent.run(frame).ignored();
  }
}

}  // namespace
}  // namespace phalanx::test

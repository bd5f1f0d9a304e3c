// SPDX-License-Identifier: Apache-2.0
// Packets of services reach the backend that their slot names.
#include <set>

#include "balancer_run.hpp"
#include "lib/hash.h"

namespace phalanx::test {
namespace {

TEST_F(Balancer, sends_ipv4_tcp_in_an_ipv4_tunnel_to_the_primary) {
  const auto service = balancer.serve(kTcp, vip4, b1, b2);
  expect(balancer.run(tcp4(client4, vip4).payload(100)))
      .tx()
      .encapsulated_to(b1)
      .counted({"sent"})
      .traffic(service, b1, 140);
}

TEST_F(Balancer, sends_ipv4_udp_in_an_ipv4_tunnel_to_the_primary) {
  const auto service = balancer.serve(kUdp, vip4, b1, b2);
  expect(balancer.run(udp4(client4, vip4).payload(0)))
      .tx()
      .encapsulated_to(b1)
      .counted({"sent"})
      .traffic(service, b1, 28);
}

TEST_F(Balancer, sends_ipv6_in_an_ipv4_tunnel) {
  const auto service = balancer.serve(kTcp, vip6, b1, b2);
  expect(balancer.run(tcp6(client6, vip6).payload(100)))
      .tx()
      .encapsulated_to(b1)
      .counted({"sent"})
      .traffic(service, b1, 160);
}

TEST_F(Balancer, sends_ipv4_in_an_ipv6_tunnel) {
  const auto service = balancer.serve(kUdp, vip4, b1_over_ipv6, b2_over_ipv6);
  expect(balancer.run(udp4(client4, vip4).payload(1400)))
      .tx()
      .encapsulated_to(b1_over_ipv6)
      .traffic(service, b1_over_ipv6, 1428);
}

TEST_F(Balancer, sends_ipv6_in_an_ipv6_tunnel) {
  const auto service = balancer.serve(kUdp, vip6, b1_over_ipv6, b2_over_ipv6);
  expect(balancer.run(udp6(client6, vip6).payload(1)))
      .tx()
      .encapsulated_to(b1_over_ipv6)
      .traffic(service, b1_over_ipv6, 49);
}

TEST_F(Balancer, rewrites_only_the_mac_addresses_at_layer_2) {
  const auto service = balancer.serve(kTcp, vip4, b3_at_layer_2, b1);
  balancer.serve(kTcp, vip6, b3_at_layer_2, b1);
  expect(balancer.run(tcp4(client4, vip4).payload(10)))
      .tx()
      .sent_at_layer_2_to(b3_at_layer_2)
      .counted({"sent"})
      .traffic(service, b3_at_layer_2, 50);
  expect(balancer.run(tcp6(client6, vip6))).tx().sent_at_layer_2_to(b3_at_layer_2).counted({"sent"});
}

TEST_F(Balancer, redirects_when_the_next_hop_lies_behind_another_interface) {
  const auto service = balancer.serve(kTcp, vip4, b4_elsewhere, b1);
  expect(balancer.run(tcp4(client4, vip4).payload(100)))
      .redirected()
      .encapsulated_to(b4_elsewhere)
      .counted({"redirected"})
      .traffic(service, b4_elsewhere, 140);
}

TEST_F(Balancer, copies_every_traffic_class_to_the_outer_header) {
  balancer.serve(kTcp, vip4, b1, b2);
  balancer.serve(kTcp, vip6, b1, b2);
  balancer.serve(kUdp, vip4, b1_over_ipv6, b2);
  balancer.serve(kUdp, vip6, b1_over_ipv6, b2);
  for (unsigned value = 0; value < 256; value++) {
    const auto tos = static_cast<std::uint8_t>(value);
    expect(balancer.run(tcp4(client4, vip4).traffic_class(tos))).tx().encapsulated_to(b1);
    expect(balancer.run(tcp6(client6, vip6).traffic_class(tos))).tx().encapsulated_to(b1);
    expect(balancer.run(udp4(client4, vip4).traffic_class(tos))).tx().encapsulated_to(b1_over_ipv6);
    expect(balancer.run(udp6(client6, vip6).traffic_class(tos))).tx().encapsulated_to(b1_over_ipv6);
  }
}

// RFC 6438: routers and network cards spread the flows of one tunnel by the label.
TEST_F(Balancer, gives_each_flow_a_flow_label_of_its_own_in_an_ipv6_tunnel) {
  balancer.serve(kTcp, vip4, b1_over_ipv6, b2);
  std::set<std::string> labels;
  for (std::uint16_t port = 1; port <= 64; port++) {
    std::set<std::string> of_flow;
    for (const std::size_t size : {std::size_t{0}, std::size_t{100}}) {
      const Outcome outcome = balancer.run(tcp4({client4.address, port}, vip4).payload(size));
      outcome.encapsulated_to(b1_over_ipv6);
      Bytes label = part(outcome.result.frame, 15, 3);
      label.at(0) &= 15;
      of_flow.insert(hex(label));
    }
    EXPECT_EQ(of_flow.size(), 1u);
    labels.insert(of_flow.begin(), of_flow.end());
  }
  EXPECT_GT(labels.size(), 60u);
}

TEST_F(Balancer, does_not_take_the_padding_of_short_frames_for_payload) {
  const auto service = balancer.serve(kUdp, vip4, b1, b2);
  expect(balancer.run(udp4(client4, vip4).payload(1).padded_to(60)))
      .tx()
      .encapsulated_to(b1)
      .traffic(service, b1, 29);
}

TEST_F(Balancer, sends_packets_of_every_size) {
  balancer.serve(kUdp, vip4, b1, b2);
  balancer.serve(kUdp, vip6, b1_over_ipv6, b2);
  for (std::size_t size = 0; size < 3300; size += size < 100 ? 1 : 97) {
    expect(balancer.run(udp4(client4, vip4).payload(size))).tx().encapsulated_to(b1);
    expect(balancer.run(udp6(client6, vip6).payload(size))).tx().encapsulated_to(b1_over_ipv6);
  }
}

TEST_F(Balancer, sends_to_the_backup_from_the_next_packet_on_when_the_primary_is_down) {
  const auto service = balancer.serve(kTcp, vip4, b1, b2);
  expect(balancer.run(tcp4(client4, vip4))).tx().encapsulated_to(b1).counted({"sent"});
  balancer.take_down(b1);
  expect(balancer.run(tcp4(client4, vip4)))
      .tx()
      .encapsulated_to(b2)
      .counted({"sent", "by_backup"})
      .traffic(service, b2, 72);
  balancer.set_state(b1, PHX_STATE_UP | PHX_STATE_REACHABLE);
  expect(balancer.run(tcp4(client4, vip4))).tx().encapsulated_to(b1).counted({"sent"});
}

TEST_F(Balancer, sends_to_a_backup_of_another_family_and_form) {
  balancer.serve(kTcp, vip4, b1, b2_over_ipv6);
  balancer.serve(kUdp, vip4, b1, b3_at_layer_2);
  balancer.take_down(b1);
  expect(balancer.run(tcp4(client4, vip4))).tx().encapsulated_to(b2_over_ipv6);
  expect(balancer.run(udp4(client4, vip4))).tx().sent_at_layer_2_to(b3_at_layer_2);
}

TEST_F(Balancer, uses_the_next_hop_that_the_state_word_names) {
  balancer.serve(kTcp, vip4, b1, b2);
  Backend moved = b1;
  moved.next_hop_mac = {2, 0, 0, 0, 0xdd, 9};
  moved.tunnel_source = "10.9.9.5";
  moved.same_interface = false;
  balancer.move(moved);
  expect(balancer.run(tcp4(client4, vip4))).redirected().encapsulated_to(moved).counted({"redirected"});
}

TEST_F(Balancer, keeps_services_apart_that_share_an_address_and_port) {
  const auto over_tcp = balancer.serve(kTcp, vip4, b1, b2);
  const auto over_udp = balancer.serve(kUdp, vip4, b2, b1);
  expect(balancer.run(tcp4(client4, vip4))).encapsulated_to(b1).traffic(over_tcp, b1, 72);
  expect(balancer.run(udp4(client4, vip4))).encapsulated_to(b2).traffic(over_udp, b2, 60);
}

TEST_F(Balancer, gives_one_service_several_vips_of_both_families) {
  const auto service = balancer.serve(kTcp, vip4, b1, b2);
  balancer.point_vip_at(kTcp, vip6, service);
  balancer.add_vip(vip6.address);
  expect(balancer.run(tcp6(client6, vip6))).tx().encapsulated_to(b1).traffic(service, b1, 92);
}

// The slot comes from phx_slot_hash, as `phalanx route` computes it.
TEST_F(Balancer, takes_the_slot_that_user_space_computes) {
  constexpr std::uint64_t kSeed = 0x0123456789abcdef;
  const auto slot_at = [&](std::uint32_t slot) {
    return phx_slot{slot * 2654435761u >> 31 ? b1.entry : b2.entry, PHX_NO_ENTRY, PHX_NO_ENTRY, 0};
  };
  balancer.serve(kTcp, {"192.0.2.1", 80}, b3_at_layer_2, b3_at_layer_2);  // so that regions start beyond 0
  balancer.serve(kTcp, vip4, slot_at, kSeed);
  for (std::uint16_t port = 1024; port < 1324; port++) {
    phx_flow flow{};
    const auto from = map_address(client4.address);
    const auto to = map_address(vip4.address);
    std::copy(from.begin(), from.end(), flow.source);
    std::copy(to.begin(), to.end(), flow.to.address);
    flow.to.port = __builtin_bswap16(vip4.port);
    flow.to.protocol = kTcp;
    flow.to.family = PHX_FAMILY_IPV4;
    flow.source_port = __builtin_bswap16(port);
    const std::uint32_t slot = phx_slot_index(phx_region(0, kSlots), phx_slot_hash(&flow, kSeed));
    expect(balancer.run(tcp4({client4.address, port}, vip4)))
        .encapsulated_to(slot_at(slot).primary == b1.entry ? b1 : b2);
  }
}

}  // namespace
}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
// Services that forward by GUE, and tunnels whose source is a prefix.
#include <set>

#include "balancer_run.hpp"
#include "oracle.hpp"

namespace phalanx::test {
namespace {

constexpr std::uint16_t kGuePort = 6080;

class BalancerGue : public Balancer {
 protected:
  BalancerGue() {
    for (const Backend& backend : {over4, over6, spread4, spread6, spread_ipip4, spread_ipip6}) {
      balancer.add(backend);
    }
  }

  // One packet of each of many flows to the service.
  std::vector<Bytes> frames_of_flows(int flows) {
    std::vector<Bytes> frames;
    for (int i = 0; i < flows; i++) {
      const Endpoint client{client4.address, static_cast<std::uint16_t>(20000 + i)};
      frames.push_back(balancer.run(tcp4(client, vip4)).result.frame);
    }
    return frames;
  }

  static Backend gue(std::uint16_t entry, const char* address, const char* source, std::uint8_t bits = 0,
                     phx_forward form = PHX_FORWARD_GUE) {
    Backend backend{entry, address, source, form, true, {2, 0, 0, 0, 0xbb, 7}};
    backend.tunnel_port = kGuePort;
    backend.source_bits = bits;
    return backend;
  }

  const Backend over4 = gue(20, "10.0.1.20", "10.0.0.5");
  const Backend over6 = gue(21, "fd00:1::20", "fd00::5");
  const Backend spread4 = gue(22, "10.0.1.22", "10.77.0.0", 16);
  const Backend spread6 = gue(23, "fd00:1::22", "fd77::", 64);
  const Backend spread_ipip4 = gue(24, "10.0.1.24", "10.78.4.0", 8, PHX_FORWARD_IPIP);
  const Backend spread_ipip6 = gue(25, "fd00:1::24", "fd78:1:2:3:4500::", 40, PHX_FORWARD_IPIP);
};

TEST_F(BalancerGue, sends_all_four_combinations_of_families) {
  const auto tcp4_service = balancer.serve(kTcp, vip4, over4, over4);
  const auto tcp6_service = balancer.serve(kTcp, vip6, over4, over4);
  const auto udp4_service = balancer.serve(kUdp, vip4, over6, over6);
  const auto udp6_service = balancer.serve(kUdp, vip6, over6, over6);
  expect(balancer.run(tcp4(client4, vip4).payload(100)))
      .tx()
      .encapsulated_to(over4)
      .counted({"sent"})
      .traffic(tcp4_service, over4, 140);
  expect(balancer.run(tcp6(client6, vip6).payload(100)))
      .tx()
      .encapsulated_to(over4)
      .counted({"sent"})
      .traffic(tcp6_service, over4, 160);
  expect(balancer.run(udp4(client4, vip4).payload(0)))
      .tx()
      .encapsulated_to(over6)
      .counted({"sent"})
      .traffic(udp4_service, over6, 28);
  expect(balancer.run(udp6(client6, vip6).payload(1)))
      .tx()
      .encapsulated_to(over6)
      .counted({"sent"})
      .traffic(udp6_service, over6, 49);
}

TEST_F(BalancerGue, is_read_by_scapy_as_meant) {
  balancer.serve(kTcp, vip4, over4, over4);
  balancer.serve(kTcp, vip6, over6, over6);
  const std::string in4 = scapy_reads(balancer.run(tcp4(client4, vip4).payload(33)).result.frame);
  EXPECT_EQ(in4.substr(0, in4.find(" / UDP")), "IP 10.0.0.5>10.0.1.20");
  EXPECT_EQ(in4.substr(in4.find(">6080")), ">6080 / GUE / IP 203.0.113.7>198.51.100.10 / TCP 40000>80");
  const std::string in6 = scapy_reads(balancer.run(tcp6(client6, vip6).payload(33)).result.frame);
  EXPECT_EQ(in6.substr(0, in6.find(" / UDP")), "IPv6 fd00::5>fd00:1::20");
  EXPECT_EQ(in6.substr(in6.find(">6080")), ">6080 / GUE / IPv6 2001:db8:c::7>2001:db8:e::10 / TCP 40000>80");
}

TEST_F(BalancerGue, copies_every_traffic_class_to_the_outer_header) {
  balancer.serve(kTcp, vip4, over4, over4);
  balancer.serve(kTcp, vip6, over4, over4);
  balancer.serve(kUdp, vip4, over6, over6);
  balancer.serve(kUdp, vip6, over6, over6);
  for (unsigned value = 0; value < 256; value++) {
    const auto tos = static_cast<std::uint8_t>(value);
    expect(balancer.run(tcp4(client4, vip4).traffic_class(tos))).tx().encapsulated_to(over4);
    expect(balancer.run(tcp6(client6, vip6).traffic_class(tos))).tx().encapsulated_to(over4);
    expect(balancer.run(udp4(client4, vip4).traffic_class(tos))).tx().encapsulated_to(over6);
    expect(balancer.run(udp6(client6, vip6).traffic_class(tos))).tx().encapsulated_to(over6);
  }
}

TEST_F(BalancerGue, sends_packets_of_every_size) {
  balancer.serve(kUdp, vip4, over4, over4);
  balancer.serve(kUdp, vip6, over6, over6);
  for (std::size_t size = 0; size < 3300; size += size < 100 ? 1 : 97) {
    expect(balancer.run(udp4(client4, vip4).payload(size))).tx().encapsulated_to(over4);
    expect(balancer.run(udp6(client6, vip6).payload(size))).tx().encapsulated_to(over6);
  }
}

TEST_F(BalancerGue, does_not_take_the_padding_of_short_frames_for_payload) {
  balancer.serve(kUdp, vip4, over4, over4);
  expect(balancer.run(udp4(client4, vip4).payload(1).padded_to(60))).tx().encapsulated_to(over4);
}

TEST_F(BalancerGue, drops_what_the_driver_left_no_room_for) {
  balancer.serve(kTcp, vip4, over4, over4);
  balancer.serve(kUdp, vip4, over6, over6);
  // 256 bytes of headroom less 40 of the kernel's own frame description.
  expect(balancer.run(tcp4(client4, vip4), 184)).tx();
  expect(balancer.run(tcp4(client4, vip4), 188)).dropped().counted({"no_headroom_dropped"}).no_traffic();
  expect(balancer.run(udp4(client4, vip4), 164)).tx();
  expect(balancer.run(udp4(client4, vip4), 168)).dropped().counted({"no_headroom_dropped"}).no_traffic();
}

// By which routers and the backend's card spread the flows of one tunnel.
TEST_F(BalancerGue, gives_each_flow_a_source_port_of_its_own) {
  balancer.serve(kTcp, vip4, over4, over4);
  std::set<std::string> ports;
  for (const Bytes& frame : frames_of_flows(200)) ports.insert(hex(part(frame, 34, 2)));
  EXPECT_GT(ports.size(), 190u);
  const Bytes first = frames_of_flows(1).front();
  EXPECT_EQ(hex(frames_of_flows(1).front()), hex(first)) << "a flow must keep its port";
}

TEST_F(BalancerGue, fills_the_low_bits_of_a_source_prefix_by_the_flow) {
  const struct {
    Backend backend;
    std::size_t source_at;
    std::size_t size;
    std::size_t least;
  } cases[] = {
      {spread4, 26, 4, 195}, {spread6, 22, 16, 200}, {spread_ipip4, 26, 4, 120}, {spread_ipip6, 22, 16, 200}};
  for (const auto& [backend, source_at, size, least] : cases) {
    SCOPED_TRACE(backend.address);
    const auto service = balancer.serve(kTcp, vip4, backend, backend);
    balancer.point_vip_at(kTcp, vip6, service);
    balancer.add_vip(vip6.address);
    std::set<std::string> sources;
    for (const Bytes& frame : frames_of_flows(200)) sources.insert(hex(part(frame, source_at, size)));
    EXPECT_GE(sources.size(), least);
    expect(balancer.run(tcp4(client4, vip4))).tx().encapsulated_to(backend);
    expect(balancer.run(tcp6(client6, vip6))).tx().encapsulated_to(backend);
    const std::string first = hex(balancer.run(tcp4(client4, vip4)).result.frame);
    EXPECT_EQ(hex(balancer.run(tcp4(client4, vip4)).result.frame), first) << "a flow must keep its source";
  }
}

TEST_F(BalancerGue, makes_the_whole_address_the_flows_where_the_configuration_says_so) {
  Backend all = spread4;
  all.source_bits = 32;
  balancer.add(all);
  balancer.serve(kTcp, vip4, all, all);
  std::set<std::string> firsts;
  for (const Bytes& frame : frames_of_flows(200)) firsts.insert(hex(part(frame, 26, 1)));
  EXPECT_GT(firsts.size(), 100u);
  expect(balancer.run(tcp4(client4, vip4))).tx().encapsulated_to(all);
}

TEST_F(BalancerGue, serves_beside_every_other_mode) {
  balancer.serve(kTcp, vip4, over4, b1);  // who is its hop, too
  balancer.serve(kUdp, vip4, b3_at_layer_2, over6);
  expect(balancer.run(tcp4(client4, vip4))).tx().encapsulated_to(over4, {b1}).counted({"sent"});
  expect(balancer.run(udp4(client4, vip4))).tx().sent_at_layer_2_to(b3_at_layer_2);
  balancer.take_down(over4);
  balancer.take_down(b3_at_layer_2);
  expect(balancer.run(tcp4(client4, vip4))).tx().encapsulated_to(b1).counted({"sent", "by_backup"});
  expect(balancer.run(udp4(client4, vip4)))
      .tx()
      .encapsulated_to(over6, {b3_at_layer_2})
      .counted({"sent", "by_backup"});
}

}  // namespace
}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
// IPv4 options and IPv6 extension headers are neither read nor changed: the packet goes where it would go
// without.
#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kAuthentication = 51;
constexpr std::uint8_t kDestination = 60;
constexpr std::uint8_t kExtensions[] = {kHopByHop, kRouting, kAuthentication, kDestination, 135, 139, 140};

class BalancerOptions : public Balancer {
 protected:
  BalancerOptions() {
    for (const Endpoint& vip : {vip4, vip6}) {
      for (const std::uint8_t protocol : {kTcp, kUdp}) service = balancer.serve(protocol, vip, b1, b2);
    }
  }
  void reject() {
    balancer.take_down(b1);
    balancer.take_down(b2);
    for (std::uint32_t i = 0; i <= service; i++) {
      balancer.rewrite_service(i, [](phx_service& row) { row.no_backend = PHX_NO_BACKEND_REJECT; });
    }
  }
  std::uint32_t service = 0;
};

TEST_F(BalancerOptions, of_every_length_go_along_to_the_backend) {
  for (unsigned words = 1; words <= 10; words++) {
    expect(balancer.run(tcp4(client4, vip4).options(words))).tx().encapsulated_to(b1).counted({"sent"});
    expect(balancer.run(udp4(client4, vip4).payload(0).options(words)))
        .tx()
        .encapsulated_to(b1)
        .counted({"sent"});
  }
}

// The lengths of options are the backend's to judge: nothing here walks them.
TEST_F(BalancerOptions, that_lie_or_never_end_go_along_to_the_backend) {
  for (const Bytes& options :
       {Bytes{7, 255, 4, 0}, Bytes{7, 0, 0, 0}, Bytes{7, 1, 7, 1}, Bytes{68, 2, 131, 3}, Bytes(40, 7),
        Bytes(40, 0), Bytes(40, 255), Bytes{137, 39, 4, 1, 2, 3, 4, 5}}) {
    expect(balancer.run(udp4(client4, vip4).options(options))).tx().encapsulated_to(b1).counted({"sent"});
  }
}

TEST_F(BalancerOptions, leave_the_slot_as_it_is) {
  const auto slot_at = [this](std::uint32_t slot) {
    return phx_slot{slot % 2 == 0 ? b1.entry : b2.entry, PHX_NO_ENTRY, PHX_NO_ENTRY, 0};
  };
  balancer.serve(kTcp, vip4, slot_at);
  balancer.serve(kTcp, vip6, slot_at);
  for (std::uint16_t port = 1; port <= 50; port++) {
    const Packet plain4 = tcp4({client4.address, port}, vip4);
    const Packet plain6 = tcp6({client6.address, port}, vip6);
    const std::string to4 = hex(part(balancer.run(plain4).result.frame, 30, 4));
    const std::string to6 = hex(part(balancer.run(plain6).result.frame, 30, 4));
    EXPECT_EQ(hex(part(balancer.run(Packet(plain4).options(3)).result.frame, 30, 4)), to4);
    EXPECT_EQ(hex(part(balancer.run(Packet(plain6).extension(kDestination)).result.frame, 30, 4)), to6);
    EXPECT_EQ(hex(part(balancer.run(Packet(plain4).vlan(5)).result.frame, 30, 4)), to4);
  }
}

TEST_F(BalancerOptions, headers_cut_off_at_any_byte_pass) {
  const Bytes frame = tcp4(client4, vip4).payload(0).options(10).frame();
  for (std::size_t size = 34; size < frame.size(); size++) {
    balancer.run(part(frame, 0, size)).passed().unchanged().counted({"malformed_passed"});
  }
  for (std::uint16_t length = 20; length < 80; length++) {
    balancer.run(tcp4(client4, vip4).options(10).claiming_length(length))
        .passed()
        .unchanged()
        .counted({"malformed_passed"});
  }
}

TEST_F(BalancerOptions, in_ipv6_extension_headers_of_every_kind_go_along_to_the_backend) {
  for (const std::uint8_t kind : kExtensions) {
    expect(balancer.run(tcp6(client6, vip6).extension(kind))).tx().encapsulated_to(b1).counted({"sent"});
    expect(balancer.run(udp6(client6, vip6).extension(kind, 24))).tx().encapsulated_to(b1).counted({"sent"});
  }
}

TEST_F(BalancerOptions, in_ipv6_extension_headers_of_every_length_go_along_to_the_backend) {
  for (std::size_t size = 8; size <= 2048; size += size < 64 ? 8 : 248) {
    expect(balancer.run(udp6(client6, vip6).extension(kDestination, size)))
        .tx()
        .encapsulated_to(b1)
        .counted({"sent"});
  }
  for (std::size_t size = 8; size <= 1028; size += size < 64 ? 4 : 241 * 4) {
    expect(balancer.run(udp6(client6, vip6).extension(kAuthentication, size)))
        .tx()
        .encapsulated_to(b1)
        .counted({"sent"});
  }
}

TEST_F(BalancerOptions, in_ipv6_up_to_eight_extension_headers_are_walked) {
  Packet packet = tcp6(client6, vip6);
  for (int count = 1; count <= 8; count++) {
    packet.extension(kExtensions[count % 7], 16);
    expect(balancer.run(packet)).tx().encapsulated_to(b1).counted({"sent"});
  }
  packet.extension(kDestination);
  expect(balancer.run(packet)).passed().unchanged().counted({"extension_passed"}).no_traffic();
  packet.extension(kRouting).extension(kDestination);
  expect(balancer.run(packet)).passed().unchanged().counted({"extension_passed"}).no_traffic();
}

TEST_F(BalancerOptions, in_ipv6_headers_of_no_known_kind_end_the_walk) {
  for (const std::uint8_t kind : std::initializer_list<std::uint8_t>{50, 59, 253, 254, 47}) {
    expect(balancer.run(tcp6(client6, vip6).extension(kHopByHop).protocol(kind)))
        .passed()
        .unchanged()
        .counted({"protocol_passed"});
  }
}

TEST_F(BalancerOptions, in_ipv6_extension_headers_cut_off_at_any_byte_pass) {
  const Packet packet = tcp6(client6, vip6)
                            .payload(0)
                            .extension(kHopByHop)
                            .extension(kAuthentication, 20)
                            .extension(kDestination, 24);
  const Bytes frame = packet.frame();
  for (std::size_t size = 54; size < frame.size(); size++) {
    balancer.run(part(frame, 0, size)).passed().unchanged().counted({"malformed_passed"});
  }
  for (std::uint16_t length = 0; length < 72; length++) {
    balancer.run(Packet(packet).claiming_length(length)).passed().unchanged().counted({"malformed_passed"});
  }
}

TEST_F(BalancerOptions, in_ipv6_extension_headers_longer_than_the_packet_pass) {
  for (unsigned units = 5; units < 256; units++) {
    Bytes frame = udp6(client6, vip6).extension(kDestination).payload(24).frame();  // 40 bytes behind IPv6
    frame[55] = static_cast<std::uint8_t>(units);
    balancer.run(frame).passed().unchanged().counted({"malformed_passed"});
  }
}

TEST_F(BalancerOptions, do_not_come_back_in_echo_replies) {
  for (unsigned words = 1; words <= 10; words++) {
    expect(balancer.run(ping4(client4, vip4).options(words)))
        .answered_by(ping4(vip4, client4).icmp_type(0))
        .counted({"echo_answered"});
  }
  for (const std::uint8_t kind : kExtensions) {
    expect(balancer.run(ping6(client6, vip6).label(0).extension(kind).extension(kDestination, 64)))
        .answered_by(ping6(vip6, client6).icmp_type(129))
        .counted({"echo_answered"});
  }
  expect(balancer.run(ping4(client4, vip4).options(9).vlan(8)))
      .answered_by(ping4(vip4, client4).icmp_type(0))
      .counted({"echo_answered"});
}

TEST_F(BalancerOptions, do_not_come_back_in_resets) {
  reject();
  for (unsigned words = 1; words <= 10; words++) {
    expect(balancer.run(tcp4(client4, vip4).flags(kSyn).payload(5).numbers(100, 0).options(words)))
        .answered_by(tcp4(vip4, client4).flags(kRst | kAck).payload(0).numbers(0, 106).window(0))
        .counted({"rejected"});
  }
  for (const std::uint8_t kind : kExtensions) {
    expect(balancer.run(tcp6(client6, vip6).flags(kAck).payload(0).numbers(1, 2).extension(kind, 32)))
        .answered_by(tcp6(vip6, client6).flags(kRst).payload(0).numbers(2, 0).window(0))
        .counted({"rejected"});
  }
}

TEST_F(BalancerOptions, are_quoted_in_errors) {
  reject();
  for (unsigned words = 1; words <= 10; words++) {
    const Packet packet = udp4(client4, vip4).options(words);
    expect(balancer.run(packet))
        .answered_by(error_about(packet, vip4.address, 3, 3, 28 + words * 4))
        .counted({"rejected"});
  }
  const Packet packet = udp6(client6, vip6).extension(kRouting, 24).extension(kDestination);
  expect(balancer.run(packet)).answered_by(error_about(packet, vip6.address, 1, 4)).counted({"rejected"});
}

}  // namespace
}  // namespace phalanx::test

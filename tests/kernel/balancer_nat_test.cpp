// SPDX-License-Identifier: Apache-2.0
// Services that forward by nat: towards the backend. What is expected is built anew by the tests' own code,
// every checksum over the whole packet.
#include <linux/bpf.h>

#include "balancer_run.hpp"
#include "oracle.hpp"

namespace phalanx::test {
namespace {

constexpr std::uint16_t kBackendPort = 8080;

class BalancerNat : public Balancer {
 protected:
  BalancerNat() {
    for (const Backend& backend : {n4, n6, n4_elsewhere}) balancer.add(backend);
  }

  static Backend nat(std::uint16_t entry, const char* address, bool same_interface = true) {
    Backend backend{entry, address, "", PHX_FORWARD_NAT, same_interface, {2, 0, 0, 0, 0xbb, 9}};
    backend.port = kBackendPort;
    return backend;
  }
  static Endpoint end_of(const Backend& backend) { return {backend.address, backend.port}; }

  const Backend n4 = nat(30, "10.0.1.30");
  const Backend n6 = nat(31, "fd00:1::30");
  const Backend n4_elsewhere = nat(32, "10.0.1.32", false);
};

TEST_F(BalancerNat, puts_the_backends_address_and_port_in_the_vips_place) {
  const auto tcp4_service = balancer.serve(kTcp, vip4, n4, b1);
  const auto udp4_service = balancer.serve(kUdp, vip4, n4, b1);
  const auto tcp6_service = balancer.serve(kTcp, vip6, n6, b1);
  const auto udp6_service = balancer.serve(kUdp, vip6, n6, b1);
  expect(balancer.run(tcp4(client4, vip4).payload(100)))
      .tx()
      .translated_to(n4, tcp4(client4, end_of(n4)).payload(100))
      .counted({"sent"})
      .traffic(tcp4_service, n4, 140);
  expect(balancer.run(udp4(client4, vip4).payload(1)))
      .tx()
      .translated_to(n4, udp4(client4, end_of(n4)).payload(1))
      .counted({"sent"})
      .traffic(udp4_service, n4, 29);
  expect(balancer.run(tcp6(client6, vip6).payload(0)))
      .tx()
      .translated_to(n6, tcp6(client6, end_of(n6)).payload(0))
      .counted({"sent"})
      .traffic(tcp6_service, n6, 60);
  expect(balancer.run(udp6(client6, vip6).payload(1400)))
      .tx()
      .translated_to(n6, udp6(client6, end_of(n6)).payload(1400))
      .counted({"sent"})
      .traffic(udp6_service, n6, 1448);
}

TEST_F(BalancerNat, is_read_by_scapy_as_meant) {
  balancer.serve(kTcp, vip4, n4, b1);
  balancer.serve(kUdp, vip6, n6, b1);
  EXPECT_EQ(scapy_reads(balancer.run(tcp4(client4, vip4).payload(33)).result.frame),
            "IP 203.0.113.7>10.0.1.30 / TCP 40000>8080");
  EXPECT_EQ(scapy_reads(balancer.run(udp6(client6, vip6).payload(33)).result.frame),
            "IPv6 2001:db8:c::7>fd00:1::30 / UDP 40000>8080");
}

TEST_F(BalancerNat, redirects_when_the_next_hop_lies_behind_another_interface) {
  balancer.serve(kTcp, vip4, n4_elsewhere, b1);
  expect(balancer.run(tcp4(client4, vip4)))
      .redirected()
      .translated_to(n4_elsewhere, tcp4(client4, end_of(n4_elsewhere)))
      .counted({"redirected"});
}

// Among all ports is the one with which the checksum of a datagram comes to 0.
TEST_F(BalancerNat, keeps_the_checksums_of_packets_from_every_port) {
  balancer.serve(kTcp, vip4, n4, b1);
  balancer.serve(kUdp, vip4, n4, b1);
  balancer.serve(kUdp, vip6, n6, b1);
  int wrong = 0;
  const auto compare = [&](const Packet& sent, const Packet& expected) {
    const RunResult result = run_program(balancer.program_fd(), sent.frame());
    const Bytes ip = aged(expected.ip());
    wrong += part(result.frame, 14, ip.size()) != ip;
  };
  for (unsigned port = 0; port < 65536; port++) {
    const Endpoint from4{client4.address, static_cast<std::uint16_t>(port)};
    const Endpoint from6{client6.address, static_cast<std::uint16_t>(port)};
    compare(udp4(from4, vip4).payload(2), udp4(from4, end_of(n4)).payload(2));
    if (port % 7 == 0) compare(tcp4(from4, vip4).payload(2), tcp4(from4, end_of(n4)).payload(2));
    if (port % 7 == 1) compare(udp6(from6, vip6).payload(2), udp6(from6, end_of(n6)).payload(2));
  }
  EXPECT_EQ(wrong, 0);
}

TEST_F(BalancerNat, gives_no_checksum_to_a_datagram_without_one) {
  balancer.serve(kUdp, vip4, n4, b1);
  balancer.serve(kUdp, vip6, n6, b1);
  expect(balancer.run(udp4(client4, vip4).without_checksum()))
      .tx()
      .translated_to(n4, udp4(client4, end_of(n4)).without_checksum());
  expect(balancer.run(udp6(client6, vip6).without_checksum()))
      .tx()
      .translated_to(n6, udp6(client6, end_of(n6)).without_checksum());
}

TEST_F(BalancerNat, does_not_repair_what_was_damaged_on_its_way) {
  balancer.serve(kTcp, vip4, n4, b1);
  for (const std::size_t at : {25u, 51u, 60u}) {  // the checksums of IPv4 and TCP, the payload
    Bytes damaged = tcp4(client4, vip4).frame();
    damaged.at(at) ^= 0x10;
    Outcome outcome = balancer.run(damaged);
    outcome.tx();
    EXPECT_EQ(scapy_reads(outcome.result.frame).substr(0, 6), "wrong:") << "byte " << at;
  }
}

TEST_F(BalancerNat, translates_packets_of_every_size_and_leaves_the_padding_alone) {
  balancer.serve(kUdp, vip4, n4, b1);
  balancer.serve(kTcp, vip6, n6, b1);
  for (std::size_t size = 0; size < 3300; size += size < 100 ? 1 : 97) {
    expect(balancer.run(udp4(client4, vip4).payload(size)))
        .tx()
        .translated_to(n4, udp4(client4, end_of(n4)).payload(size));
    expect(balancer.run(tcp6(client6, vip6).payload(size)))
        .tx()
        .translated_to(n6, tcp6(client6, end_of(n6)).payload(size));
  }
  expect(balancer.run(udp4(client4, vip4).payload(1).padded_to(60)))
      .tx()
      .translated_to(n4, udp4(client4, end_of(n4)).payload(1));
}

TEST_F(BalancerNat, needs_no_headroom) {
  balancer.serve(kTcp, vip4, n4, b1);
  expect(balancer.run(tcp4(client4, vip4), 216)).tx().counted({"sent"});
}

TEST_F(BalancerNat, serves_beside_every_other_mode) {
  balancer.serve(kTcp, vip4, n4, b1);
  balancer.serve(kUdp, vip4, b3_at_layer_2, n4);
  expect(balancer.run(tcp4(client4, vip4))).tx().translated_to(n4, tcp4(client4, end_of(n4)));
  expect(balancer.run(udp4(client4, vip4))).tx().sent_at_layer_2_to(b3_at_layer_2);
  balancer.take_down(n4);
  balancer.take_down(b3_at_layer_2);
  expect(balancer.run(tcp4(client4, vip4))).tx().encapsulated_to(b1).counted({"sent", "by_backup"});
}

TEST_F(BalancerNat, sends_nothing_to_a_backend_of_another_family) {
  balancer.serve(kTcp, vip4, n6, b1);
  expect(balancer.run(tcp4(client4, vip4))).dropped().counted({"no_headroom_dropped"}).no_traffic();
}

}  // namespace
}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
// While the daemon's liveness is stale: packets leave as the kernel's FIB of a namespace of the test's says,
// and where it has no answer as they always did.
#include <bpf/bpf.h>

#include "balancer_run.hpp"
#include "network_fixture.hpp"
#include "oracle.hpp"

namespace phalanx::test {
namespace {

// Of the gateway and the backends, as the kernel knows them; the stored next hops are others.
constexpr const char* kKernelMac = "02:00:00:00:dd:01";
const Bytes kKernelMacBytes{0x02, 0x00, 0x00, 0x00, 0xdd, 0x01};

class BalancerReroute : public Balancer {
 protected:
  BalancerReroute() {
    Network::ip({"route add 10.0.0.0/8 via 192.0.2.2", "route add fd00::/8 via 2001:db8:1::2"});
    know("192.0.2.2", "clients");
    know("2001:db8:1::2", "clients");
    balancer.serve(kTcp, vip4, b1, b2);
    balancer.serve(kTcp, vip6, b1_over_ipv6, b2_over_ipv6);
    balancer.come_in_by(Network::interface("clients"));
    const int clients = static_cast<int>(Network::interface("clients"));
    require(::bpf_xdp_attach(clients, balancer.program_fd(), 0, nullptr) == 0,
            "the balancer can't be attached");
    balancer.set_stale(true);
  }

  static void know(const std::string& address, const std::string& interface) {
    Network::ip(
        {"neighbour replace " + address + " lladdr " + kKernelMac + " nud permanent dev " + interface});
  }

  static Bytes macs(const std::string& interface) {
    Bytes bytes = kKernelMacBytes;
    const std::uint64_t mac = Network::mac_of(interface);
    for (int shift = 40; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(mac >> shift));
    return bytes;
  }
  static void expect_macs(const Outcome& outcome, const Bytes& expected) {
    EXPECT_EQ(hex(part(outcome.result.frame, 0, 12)), hex(expected));
  }
  // At an address behind the gateway: beyond 10.0.0.0/16 and fd00::/16, which are on the wire.
  static Backend far(Backend backend, const char* address) {
    backend.address = address;
    return backend;
  }

  const Network network;
  const Backend far4 = far(b1, "10.1.1.11");
  const Backend far6 = far(b1_over_ipv6, "fd01:1::11");
};

TEST_F(BalancerReroute, sends_tunnelled_packets_to_the_gateway_that_the_kernel_knows) {
  balancer.add(far4);
  balancer.add(far6);
  const Outcome in4 = balancer.run(tcp4(client4, vip4).payload(100));
  in4.tx().counted({"sent", "by_fib"});
  expect_macs(in4, macs("clients"));
  const Outcome in6 = balancer.run(tcp6(client6, vip6).payload(100));
  in6.tx().counted({"sent", "by_fib"});
  expect_macs(in6, macs("clients"));
  EXPECT_EQ(scapy_reads(in4.result.frame),
            "IP 10.0.0.5>10.1.1.11 / IP 203.0.113.7>198.51.100.10 / TCP 40000>80");
}

TEST_F(BalancerReroute, does_not_ask_while_the_daemon_lives) {
  balancer.set_stale(false);
  balancer.add(far4);
  const Outcome outcome = balancer.run(tcp4(client4, vip4));
  outcome.counted({"redirected"});
  EXPECT_EQ(hex(part(outcome.result.frame, 0, 6)),
            hex(Bytes(far4.next_hop_mac.begin(), far4.next_hop_mac.end())));
}

TEST_F(BalancerReroute, goes_by_the_stored_next_hop_where_the_kernel_has_no_route_or_neighbour) {
  const Bytes stored(far4.next_hop_mac.begin(), far4.next_hop_mac.end());
  for (const char* address : {"198.18.0.1", "10.0.9.9"}) {  // no route; on the wire, and nobody has asked
    balancer.add(far(b1, address));
    const Outcome outcome = balancer.run(tcp4(client4, vip4));
    outcome.redirected().counted({"redirected"});
    EXPECT_EQ(hex(part(outcome.result.frame, 0, 6)), hex(stored)) << address;
  }
}

TEST_F(BalancerReroute, goes_by_the_stored_next_hop_where_the_host_does_not_forward) {
  Network::set("ipv4/conf/clients/forwarding", 0);
  balancer.add(far4);
  balancer.run(tcp4(client4, vip4)).redirected().counted({"redirected"});
}

TEST_F(BalancerReroute, leaves_by_another_interface_only_where_that_takes_redirected_frames) {
  know("10.0.1.11", "backends");
  balancer.add(b1);
  const Outcome stored = balancer.run(tcp4(client4, vip4));
  stored.redirected().counted({"redirected"});
  EXPECT_EQ(hex(part(stored.result.frame, 0, 6)), hex(Bytes(b1.next_hop_mac.begin(), b1.next_hop_mac.end())));
  balancer.add_interface(Network::interface("backends"));
  const Outcome outcome = balancer.run(tcp4(client4, vip4));
  outcome.redirected().counted({"redirected", "by_fib"});
  expect_macs(outcome, macs("backends"));
}

TEST_F(BalancerReroute, asks_in_every_mode) {
  for (const phx_forward forward : {PHX_FORWARD_GUE, PHX_FORWARD_NAT}) {
    Backend backend = far4;
    backend.forward = forward;
    backend.port = 8080;
    balancer.add(backend);
    const Outcome outcome = balancer.run(tcp4(client4, vip4).payload(9));
    outcome.tx().counted({"sent", "by_fib"});
    expect_macs(outcome, macs("clients"));
  }
}

TEST_F(BalancerReroute, gives_a_frame_at_layer_2_to_the_backend_itself_or_goes_by_the_stored_next_hop) {
  Backend backend = far4;
  backend.forward = PHX_FORWARD_L2;
  balancer.add(backend);
  balancer.run(tcp4(client4, vip4))
      .redirected()
      .counted({"redirected"});  // a gateway would send the VIP back
  backend.address = "192.0.2.9";
  know("192.0.2.9", "clients");
  balancer.add(backend);
  const Outcome outcome = balancer.run(tcp4(client4, vip4));
  outcome.tx().counted({"sent", "by_fib"});
  expect_macs(outcome, macs("clients"));
}

TEST_F(BalancerReroute, keeps_a_stored_next_hop_behind_a_vlan_tag) {
  Backend backend = far4;
  backend.vlan = 7;
  balancer.add(backend);
  balancer.run(tcp4(client4, vip4)).redirected().counted({"redirected"});
}

TEST_F(BalancerReroute, takes_the_packets_that_are_not_plain_along) {
  balancer.add(far4);
  const Outcome outcome = balancer.run(tcp4(client4, vip4).payload(96).fragment(0, true));
  outcome.tx().counted({"sent", "by_fib", "fragment_recorded"});
  expect_macs(outcome, macs("clients"));
}

}  // namespace
}  // namespace phalanx::test

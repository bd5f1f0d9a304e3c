// SPDX-License-Identifier: Apache-2.0
// The way back of nat: what a backend answers leaves as the VIP's, by the routes of a namespace of the
// test's.
#include <bpf/bpf.h>

#include "balancer_run.hpp"
#include "network_fixture.hpp"
#include "oracle.hpp"

namespace phalanx::test {
namespace {

constexpr std::uint16_t kBackendPort = 8080;
const Bytes kGatewayMac{0x02, 0x00, 0x00, 0x00, 0xdd, 0x01};

class BalancerNatReturn : public Balancer {
 protected:
  BalancerNatReturn() {
    Network::ip({"route add 203.0.113.0/24 via 192.0.2.2", "route add 2001:db8:c::/64 via 2001:db8:1::2"});
    set_neighbour("add");
    balancer.add_interface(Network::interface("clients"));
    for (const std::uint8_t protocol : {kTcp, kUdp}) {
      balancer.translate_back(protocol, n4, vip4);
      balancer.translate_back(protocol, n6, vip6);
    }
    balancer.add(n4);
    balancer.add(n6);
  }

  static void set_neighbour(const std::string& verb) {
    const std::string tail = verb == "add" ? " lladdr 02:00:00:00:dd:01 nud permanent" : "";
    Network::ip({"neighbour " + verb + " 192.0.2.2 dev clients" + tail,
                 "neighbour " + verb + " 2001:db8:1::2 dev clients" + tail});
  }

  static Backend nat(std::uint16_t entry, const char* address) {
    Backend backend{entry, address, "", PHX_FORWARD_NAT, true, {2, 0, 0, 0, 0xbb, 9}};
    backend.port = kBackendPort;
    return backend;
  }
  static Bytes mac_bytes(std::uint64_t mac) {
    Bytes bytes;
    for (int shift = 40; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(mac >> shift));
    return bytes;
  }

  // To the client's gateway, one hop older.
  static void expect_sent(const Outcome& outcome, const Packet& expected) {
    outcome.counted({"returned"}).no_traffic();
    Bytes frame = kGatewayMac;
    append(frame, mac_bytes(Network::mac_of("clients")));
    append16(frame, is_ipv6(expected.to().address) ? 0x86dd : 0x0800);
    append(frame, aged(expected.ip()));
    EXPECT_EQ(hex(outcome.result.frame), hex(frame)) << "for " << hex(outcome.sent_in);
  }
  void expect_returned(const Packet& sent, const Packet& expected) {
    const Outcome outcome = balancer.run(sent);
    outcome.redirected();
    expect_sent(outcome, expected);
  }
  // Left to the kernel, which has the hop to count and the MAC addresses to write.
  void expect_left_to_kernel(const Packet& sent, const Packet& expected) {
    const Outcome outcome = balancer.run(sent);
    outcome.passed().counted({"returned_by_kernel"}).no_traffic();
    EXPECT_EQ(hex(outcome.result.frame), hex(expected.frame()));
  }
  void expect_untouched(const Packet& sent) {
    balancer.run(sent).passed().unchanged().counted({"return_untouched"}).no_traffic();
  }

  const Network network;
  const Backend n4 = nat(30, "10.0.1.30");
  const Backend n6 = nat(31, "fd00:1::30");
  const Endpoint end4{n4.address, kBackendPort};
  const Endpoint end6{n6.address, kBackendPort};
};

TEST_F(BalancerNatReturn, puts_the_vip_and_its_port_in_the_backends_place) {
  expect_returned(tcp4(end4, client4).payload(100), tcp4(vip4, client4).payload(100));
  expect_returned(udp4(end4, client4).payload(1), udp4(vip4, client4).payload(1));
  expect_returned(tcp6(end6, client6).payload(0), tcp6(vip6, client6).payload(0));
  expect_returned(udp6(end6, client6).payload(1400), udp6(vip6, client6).payload(1400));
}

TEST_F(BalancerNatReturn, is_read_by_scapy_as_meant) {
  EXPECT_EQ(scapy_reads(balancer.run(tcp4(end4, client4).payload(33)).result.frame),
            "IP 198.51.100.10>203.0.113.7 / TCP 80>40000");
  EXPECT_EQ(scapy_reads(balancer.run(udp6(end6, client6).payload(33)).result.frame),
            "IPv6 2001:db8:e::10>2001:db8:c::7 / UDP 80>40000");
}

TEST_F(BalancerNatReturn, sends_back_through_the_interface_that_the_answer_came_in_by) {
  const int clients = static_cast<int>(Network::interface("clients"));
  ASSERT_EQ(::bpf_xdp_attach(clients, balancer.program_fd(), 0, nullptr), 0);
  balancer.come_in_by(Network::interface("clients"));
  const Outcome in4 = balancer.run(tcp4(end4, client4));
  expect_sent(in4.tx(), tcp4(vip4, client4));
  const Outcome in6 = balancer.run(udp6(end6, client6));
  expect_sent(in6.tx(), udp6(vip6, client6));
}

TEST_F(BalancerNatReturn, keeps_the_checksums_of_answers_to_ports_of_all_sizes) {
  int wrong = 0;
  const auto compare = [&](const Packet& sent, const Packet& expected) {
    const RunResult result = run_program(balancer.program_fd(), sent.frame());
    const Bytes ip = aged(expected.ip());
    wrong += part(result.frame, 14, ip.size()) != ip;
  };
  for (unsigned port = 0; port < 65536; port += 13) {
    const Endpoint to4{client4.address, static_cast<std::uint16_t>(port)};
    const Endpoint to6{client6.address, static_cast<std::uint16_t>(port)};
    compare(tcp4(end4, to4).payload(2), tcp4(vip4, to4).payload(2));
    compare(udp6(end6, to6).payload(2), udp6(vip6, to6).payload(2));
  }
  EXPECT_EQ(wrong, 0);
}

TEST_F(BalancerNatReturn, gives_no_checksum_to_a_datagram_without_one) {
  expect_returned(udp4(end4, client4).without_checksum(), udp4(vip4, client4).without_checksum());
}

TEST_F(BalancerNatReturn, leaves_to_the_kernel_what_only_the_kernel_can_send) {
  set_neighbour("del");
  expect_left_to_kernel(tcp4(end4, client4), tcp4(vip4, client4));
  expect_left_to_kernel(udp6(end6, client6), udp6(vip6, client6));
}

TEST_F(BalancerNatReturn, leaves_to_the_kernel_what_leaves_by_an_interface_that_takes_no_redirected_frames) {
  const std::uint32_t clients = Network::interface("clients");
  ASSERT_EQ(::bpf_map_delete_elem(balancer.map_fd("interfaces"), &clients), 0);
  expect_left_to_kernel(tcp4(end4, client4), tcp4(vip4, client4));
  expect_left_to_kernel(tcp6(end6, client6), tcp6(vip6, client6));
}

TEST_F(BalancerNatReturn, leaves_tagged_answers_to_the_kernel_in_their_tags) {
  expect_left_to_kernel(tcp4(end4, client4).vlan(7), tcp4(vip4, client4).vlan(7));
  expect_left_to_kernel(udp6(end6, client6).vlan(7, 0x88a8).vlan(9),
                        udp6(vip6, client6).vlan(7, 0x88a8).vlan(9));
  balancer.run(tcp4({n4.address, 22}, client4).vlan(7)).ignored();
}

// What has a tag comes in by the tag's own interface, of which the path sees the parent.
TEST_F(BalancerNatReturn, leaves_tagged_answers_to_the_kernel_where_the_parent_forwards_nothing) {
  Network::set("ipv4/conf/backends/forwarding", 0);
  Network::set("ipv6/conf/backends/forwarding", 0);
  balancer.come_in_by(Network::interface("backends"));
  expect_left_to_kernel(tcp4(end4, client4).vlan(7), tcp4(vip4, client4).vlan(7));
  expect_left_to_kernel(tcp6(end6, client6).vlan(7), tcp6(vip6, client6).vlan(7));
  expect_untouched(tcp4(end4, client4));
  expect_untouched(tcp6(end6, client6));
}

TEST_F(BalancerNatReturn, leaves_what_is_for_the_node_itself_alone) {
  for (const char* self : {"192.0.2.1", "10.0.0.1"}) expect_untouched(tcp4(end4, {self, 45000}));
  for (const char* self : {"2001:db8:1::1", "fd00::1"}) expect_untouched(udp6(end6, {self, 45000}));
}

TEST_F(BalancerNatReturn, leaves_alone_what_has_no_way_to_go) {
  expect_untouched(tcp4(end4, {"100.64.0.9", 1}));
  expect_untouched(tcp6(end6, {"2001:db8:f::9", 1}));
  for (const std::string kind : {"blackhole", "unreachable", "prohibit"}) {
    Network::ip({"route add " + kind + " 100.64.0.9/32", "route add " + kind + " 2001:db8:f::9/128"});
    expect_untouched(tcp4(end4, {"100.64.0.9", 1}));
    expect_untouched(tcp6(end6, {"2001:db8:f::9", 1}));
    Network::ip({"route del " + kind + " 100.64.0.9/32", "route del " + kind + " 2001:db8:f::9/128"});
  }
}

TEST_F(BalancerNatReturn, leaves_answers_alone_where_the_node_forwards_nothing) {
  Network::set("ipv4/ip_forward", 0);
  Network::set("ipv6/conf/all/forwarding", 0);
  expect_untouched(tcp4(end4, client4));
  expect_untouched(tcp6(end6, client6));
}

// The backend must understand the error that the kernel sends it.
TEST_F(BalancerNatReturn, leaves_alone_what_the_kernel_answers_by_an_error) {
  expect_untouched(tcp4(end4, client4).ttl(1));
  expect_untouched(tcp6(end6, client6).ttl(1));
  expect_untouched(tcp4(end4, client4).ttl(0));
  expect_untouched(tcp4(end4, client4).payload(1461));
  expect_untouched(udp6(end6, client6).payload(1453));
  expect_returned(tcp4(end4, client4).ttl(2), tcp4(vip4, client4).ttl(2));
  expect_returned(tcp4(end4, client4).payload(1460), tcp4(vip4, client4).payload(1460));
}

TEST_F(BalancerNatReturn, lets_the_kernel_fragment_what_may_be_fragmented) {
  expect_left_to_kernel(udp4(end4, client4).payload(1500).may_be_fragmented(),
                        udp4(vip4, client4).payload(1500).may_be_fragmented());
}

TEST_F(BalancerNatReturn, leaves_other_ports_protocols_and_hosts_alone) {
  balancer.run(tcp4({n4.address, 22}, client4)).ignored();
  balancer.run(tcp4({"10.0.1.31", kBackendPort}, client4)).ignored();
  balancer.run(ping4({n4.address}, {client4.address})).ignored();
  balancer.run(ping6({n6.address}, {client6.address})).ignored();
  balancer.run(udp4(end4, client4).protocol(132)).ignored();
  balancer.fill_vip_filter();
  balancer.run(tcp4({n4.address, 22}, client4)).ignored();
  balancer.run(tcp6({"fd00:1::31", kBackendPort}, client6)).ignored();
}

TEST_F(BalancerNatReturn, leaves_everything_alone_where_no_service_is_forwarded_by_nat) {
  BalancerRun without({.with_nat = false});
  without.add(n4);
  without.translate_back(kTcp, n4, vip4);
  without.run(tcp4(end4, client4)).ignored();
  without.run(tcp4(end4, client4).vlan(7)).ignored();
  without.run(error_about(tcp4(client4, end4), n4.address, 3, 3)).ignored();
}

TEST_F(BalancerNatReturn, translates_behind_options_and_extension_headers) {
  expect_returned(tcp4(end4, client4).options(3), tcp4(vip4, client4).options(3));
  expect_returned(udp4(end4, client4).options(10), udp4(vip4, client4).options(10));
  expect_returned(tcp6(end6, client6).extension(60), tcp6(vip6, client6).extension(60));
  expect_returned(udp6(end6, client6).extension(0, 16).extension(60),
                  udp6(vip6, client6).extension(0, 16).extension(60));
}

TEST_F(BalancerNatReturn, still_answers_what_is_for_a_vip) {
  const auto service = balancer.serve(kTcp, vip4, n4, b1);
  expect(balancer.run(tcp4(end4, vip4))).tx().translated_to(n4, tcp4(end4, end4)).traffic(service, n4, 72);
}

TEST_F(BalancerNatReturn, refuses_no_garbage_and_changes_none) {
  const Bytes whole = tcp4(end4, client4).payload(3).frame();
  for (std::size_t size = 14; size < whole.size(); size++) balancer.run(part(whole, 0, size)).ignored();
  balancer.run(tcp4(end4, client4).claiming_header_words(4)).ignored();
  balancer.run(tcp4(end4, client4).claiming_length(39)).ignored();
  balancer.run(tcp4(end4, client4).claiming_version(6)).ignored();
  balancer.run(udp6(end6, client6).claiming_length(7)).ignored();
}

// ---------------------------------------------------------------------------------------------- fragments

class BalancerNatReturnFragments : public BalancerNatReturn {
 protected:
  // What the pieces of a datagram become.
  std::vector<Bytes> returned(const std::vector<Packet>& pieces,
                              const std::vector<std::string>& first_counters) {
    std::vector<Bytes> frames;
    for (const Packet& piece : pieces) {
      const Outcome outcome = balancer.run(piece);
      outcome.redirected();
      EXPECT_EQ(outcome.counters.size(), frames.empty() ? first_counters.size() : 1u);
      EXPECT_EQ(outcome.counters.count("returned"), 1u);
      frames.push_back(outcome.result.frame);
    }
    return frames;
  }
};

TEST_F(BalancerNatReturnFragments, follow_the_first_one) {
  const Packet datagram4 = udp4(end4, client4).payload(100).may_be_fragmented();
  const Packet datagram6 = udp6(end6, client6).payload(100);
  const std::vector<std::string> of_first{"returned", "fragment_recorded"};
  EXPECT_EQ(scapy_reads(
                returned({datagram4.piece(0, 48), datagram4.piece(6, 24), datagram4.piece(9, 36)}, of_first)),
            "IP 198.51.100.10>203.0.113.7 / UDP 80>40000");
  EXPECT_EQ(scapy_reads(
                returned({datagram6.piece(0, 48), datagram6.piece(6, 24), datagram6.piece(9, 36)}, of_first)),
            "IPv6 2001:db8:e::10>2001:db8:c::7 / UDP 80>40000");
}

// Only the first fragment shows what comes behind the extension headers that are fragmented with it.
TEST_F(BalancerNatReturnFragments, of_extension_headers_follow) {
  Bytes fragmentable{17, 0, 1, 4, 0, 0, 0, 0};
  const Bytes datagram = udp6(end6, client6).payload(100).ip();
  fragmentable.insert(fragmentable.end(), datagram.begin() + 40, datagram.end());
  const Packet whole = udp6(end6, client6).protocol(60).carrying(fragmentable);
  EXPECT_EQ(scapy_reads(returned({whole.piece(0, 48), whole.piece(6, 24), whole.piece(9, 44)},
                                 {"returned", "fragment_recorded"})),
            "IPv6 2001:db8:e::10>2001:db8:c::7 / IPv6ExtHdrDestOpt / UDP 80>40000");
}

TEST_F(BalancerNatReturnFragments, do_not_follow_a_first_one_that_was_left_alone) {
  const Packet datagram = udp4(end4, {"192.0.2.1", 45000}).payload(100);
  expect_untouched(datagram.piece(0, 48));
  EXPECT_EQ(balancer.records(), 0u);
  balancer.run(datagram.piece(6, 60)).ignored();
}

TEST_F(BalancerNatReturnFragments, that_come_before_the_first_one_are_left_alone) {
  const Packet datagram = udp4(end4, client4).payload(100);
  balancer.run(datagram.piece(6, 60)).ignored();
  balancer.run(udp6(end6, client6).payload(100).piece(6, 60)).ignored();
}

TEST_F(BalancerNatReturnFragments, of_other_datagrams_are_left_alone) {
  const Packet datagram = udp4(end4, client4).payload(100);
  returned({datagram.piece(0, 48)}, {"returned", "fragment_recorded"});
  balancer.run(udp4(end4, client4).payload(100).label(77).piece(6, 60)).ignored();
  balancer.run(udp4(end4, {"203.0.113.8", 40000}).payload(100).piece(6, 60)).ignored();
  balancer.run(tcp4(end4, client4).payload(100).piece(6, 60)).ignored();
}

TEST_F(BalancerNatReturnFragments, that_come_too_late_are_left_alone) {
  const Packet datagram = udp4(end4, client4).payload(100);
  returned({datagram.piece(0, 48)}, {"returned", "fragment_recorded"});
  balancer.age_records(PHX_DATAGRAM_LIFE_S + 1);
  balancer.run(datagram.piece(6, 60)).ignored();
}

// -------------------------------------------------------------------------------------------- ICMP errors

TEST_F(BalancerNatReturn, translates_errors_of_the_backend_about_what_it_got) {
  expect_returned(error_about(udp4(client4, end4), n4.address, 3, 3),
                  error_about(udp4(client4, vip4), vip4.address, 3, 3));
  expect_returned(error_about(tcp4(client4, end4), n4.address, 3, 1),
                  error_about(tcp4(client4, vip4), vip4.address, 3, 1));
  expect_returned(error_about(udp6(client6, end6), n6.address, 1, 4),
                  error_about(udp6(client6, vip6), vip6.address, 1, 4));
  expect_returned(error_about(tcp6(client6, end6), n6.address, 1, 0),
                  error_about(tcp6(client6, vip6), vip6.address, 1, 0));
}

TEST_F(BalancerNatReturn, translates_errors_of_routers_before_the_backend) {
  const std::string router4 = "10.0.9.1", router6 = "fd00:9::1";
  expect_returned(error_about(udp4(client4, end4), router4, 3, 4, 1000, 1400),
                  error_about(udp4(client4, vip4), router4, 3, 4, 1000, 1400));
  expect_returned(error_about(tcp4(client4, end4), router4, 11, 0),
                  error_about(tcp4(client4, vip4), router4, 11, 0));
  expect_returned(error_about(tcp6(client6, end6), router6, 2, 0, 1000, 1400),
                  error_about(tcp6(client6, vip6), router6, 2, 0, 1000, 1400));
  expect_returned(error_about(udp6(client6, end6), router6, 3, 0),
                  error_about(udp6(client6, vip6), router6, 3, 0));
}

// But for a quote that ends within the checksum: half a checksum is nothing to be updated.
TEST_F(BalancerNatReturn, translates_quotes_cut_off_anywhere_behind_the_ports) {
  for (std::size_t behind_ip = 4; behind_ip < 40; behind_ip++) {
    if (behind_ip != 17) {
      expect_returned(error_about(tcp4(client4, end4).payload(20), n4.address, 3, 3, 20 + behind_ip),
                      error_about(tcp4(client4, vip4).payload(20), vip4.address, 3, 3, 20 + behind_ip));
      expect_returned(error_about(tcp6(client6, end6).payload(20), n6.address, 1, 4, 40 + behind_ip),
                      error_about(tcp6(client6, vip6).payload(20), vip6.address, 1, 4, 40 + behind_ip));
    }
    if (behind_ip != 7) {
      expect_returned(error_about(udp4(client4, end4).payload(20), n4.address, 3, 3, 20 + behind_ip),
                      error_about(udp4(client4, vip4).payload(20), vip4.address, 3, 3, 20 + behind_ip));
      expect_returned(error_about(udp6(client6, end6).payload(20), n6.address, 1, 4, 40 + behind_ip),
                      error_about(udp6(client6, vip6).payload(20), vip6.address, 1, 4, 40 + behind_ip));
    }
  }
}

TEST_F(BalancerNatReturn, translates_quotes_without_checksum_and_behind_options) {
  expect_returned(error_about(udp4(client4, end4).without_checksum(), n4.address, 3, 3),
                  error_about(udp4(client4, vip4).without_checksum(), vip4.address, 3, 3));
  expect_returned(error_about(tcp4(client4, end4).options(5), n4.address, 3, 3),
                  error_about(tcp4(client4, vip4).options(5), vip4.address, 3, 3));
  expect_returned(error_about(udp6(client6, end6).extension(60), n6.address, 1, 4),
                  error_about(udp6(client6, vip6).extension(60), vip6.address, 1, 4));
}

TEST_F(BalancerNatReturn, sends_errors_that_scapy_reads_as_meant) {
  EXPECT_EQ(scapy_reads(balancer.run(error_about(udp4(client4, end4), n4.address, 3, 3)).result.frame),
            "IP 198.51.100.10>203.0.113.7 / ICMP 3/3 / quote / IP 203.0.113.7>198.51.100.10 / UDP 40000>80");
  EXPECT_EQ(
      scapy_reads(balancer.run(error_about(tcp6(client6, end6), "fd00:9::1", 3, 0)).result.frame),
      "IPv6 fd00:9::1>2001:db8:c::7 / ICMP 3/0 / quote / IPv6 2001:db8:c::7>2001:db8:e::10 / TCP 40000>80");
}

TEST_F(BalancerNatReturn, leaves_errors_alone_that_quote_nothing_of_a_service) {
  balancer.run(error_about(udp4(client4, {n4.address, 22}), n4.address, 3, 3)).ignored();
  balancer.run(error_about(udp4(client4, {"10.0.1.31", kBackendPort}), "10.0.1.31", 3, 3)).ignored();
  balancer.run(error_about(ping4(client4, {n4.address}), n4.address, 3, 1)).ignored();
  balancer.run(error_about(udp4(client4, end4), n4.address, 3, 3, 23)).ignored();
  balancer.run(error_about(udp6(client6, {n6.address, 22}), n6.address, 1, 4)).ignored();
  expect_untouched(error_about(udp4({"192.0.2.1", 45000}, end4), n4.address, 3, 3));
  expect_untouched(error_about(udp6({"2001:db8:1::1", 45000}, end6), n6.address, 1, 4));
}

// ------------------------------------------------------------------------- ICMP errors towards the backend

TEST_F(BalancerNatReturn, translates_errors_towards_the_backend) {
  for (const std::uint8_t protocol : {kTcp, kUdp}) {
    const auto in4 = balancer.serve(protocol, vip4, n4, b1);
    const auto in6 = balancer.serve(protocol, vip6, n6, b1);
    for (const std::size_t size : {28u, 36u, 48u, 1000u}) {
      for (const std::string router : {client4.address.c_str(), "192.0.2.77"}) {
        const Packet sent = error_about(Packet(protocol, vip4, client4), router, 3, 4, size, 1400);
        const Packet expected = error_about(Packet(protocol, end4, client4), router, 3, 4, size, 1400);
        expect(balancer.run(sent))
            .tx()
            .translated_to(n4, expected)
            .counted({"sent", "by_quote"})
            .traffic(in4, n4, expected.ip().size());
      }
      for (const std::string router : {client6.address.c_str(), "2001:db8:77::1"}) {
        const Packet sent = error_about(Packet(protocol, vip6, client6), router, 2, 0, size + 20, 1400);
        const Packet expected = error_about(Packet(protocol, end6, client6), router, 2, 0, size + 20, 1400);
        expect(balancer.run(sent))
            .tx()
            .translated_to(n6, expected)
            .counted({"sent", "by_quote"})
            .traffic(in6, n6, expected.ip().size());
      }
    }
  }
}

}  // namespace
}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
// Tagged frames for a VIP are served like untagged ones; what goes out has the next hop's tag, or the very
// tags of what it answers.
#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

class BalancerTags : public Balancer {
 protected:
  BalancerTags() {
    for (const Endpoint& vip : {vip4, vip6}) {
      for (const std::uint8_t protocol : {kTcp, kUdp}) service = balancer.serve(protocol, vip, b1, b2);
    }
  }
  // The packet in all the tags that are looked through.
  static std::vector<Packet> tagged(const Packet& packet) {
    std::vector<Packet> all(5, packet);
    all[0].vlan(7);
    all[1].vlan(0);
    all[2].vlan(4094, 0x88a8);
    all[3].vlan(100, 0x88a8).vlan(7);
    all[4].vlan(100).vlan(0xe007);  // of priority 7
    return all;
  }
  std::uint32_t service = 0;
};

TEST_F(BalancerTags, come_off_what_goes_to_an_untagged_next_hop) {
  for (const Packet& packet :
       {tcp4(client4, vip4), udp4(client4, vip4), tcp6(client6, vip6), udp6(client6, vip6)}) {
    for (const Packet& frame : tagged(packet)) {
      expect(balancer.run(frame)).tx().encapsulated_to(b1).counted({"sent"});
    }
  }
}

TEST_F(BalancerTags, are_the_next_hops_on_what_goes_to_a_tagged_one) {
  Backend in_vlan = b1;
  in_vlan.vlan = 200;
  balancer.add(in_vlan);
  for (const Packet& packet : {tcp4(client4, vip4), udp6(client6, vip6)}) {
    expect(balancer.run(packet)).tx().encapsulated_to(in_vlan).counted({"sent"});
    for (const Packet& frame : tagged(packet)) {
      expect(balancer.run(frame)).tx().encapsulated_to(in_vlan).counted({"sent"});
    }
  }
}

TEST_F(BalancerTags, are_the_next_hops_at_layer_2_and_over_ipv6_too) {
  Backend at_layer_2 = b3_at_layer_2;
  Backend over_ipv6 = b1_over_ipv6;
  at_layer_2.vlan = 4094;
  over_ipv6.vlan = 1;
  balancer.add(at_layer_2);
  balancer.add(over_ipv6);
  balancer.serve(kTcp, vip4, at_layer_2, b2);
  balancer.serve(kUdp, vip6, over_ipv6, b2);
  for (const Packet& frame : tagged(tcp4(client4, vip4))) {
    expect(balancer.run(frame)).tx().sent_at_layer_2_to(at_layer_2).counted({"sent"});
  }
  for (const Packet& frame : tagged(udp6(client6, vip6))) {
    expect(balancer.run(frame)).tx().encapsulated_to(over_ipv6).counted({"sent"});
  }
}

TEST_F(BalancerTags, of_the_next_hop_need_room_before_the_frame) {
  Backend at_layer_2 = b3_at_layer_2;
  at_layer_2.vlan = 9;
  balancer.add(at_layer_2);
  balancer.serve(kTcp, vip4, at_layer_2, b2);
  expect(balancer.run(tcp4(client4, vip4), 216)).dropped().counted({"no_headroom_dropped"}).no_traffic();
}

TEST_F(BalancerTags, are_put_back_on_what_passes) {
  const auto passes = [this](const Packet& packet, const std::string& counter) {
    for (const Packet& frame : tagged(packet)) {
      expect(balancer.run(frame)).passed().unchanged().counted({counter}).no_traffic();
    }
  };
  passes(tcp4(client4, {vip4.address, 81}), "unmatched_passed");
  passes(udp6(client6, {vip6.address, 53}), "unmatched_passed");
  passes(tcp4(client4, vip4).protocol(47), "protocol_passed");
  passes(ping4(client4, vip4).icmp_type(13), "icmp_passed");
  passes(ping6(client6, vip6).icmp_type(135), "icmp_passed");
  passes(tcp4(client4, vip4).claiming_length(39), "malformed_passed");
}

TEST_F(BalancerTags, are_put_back_on_echo_replies) {
  for (const Packet& frame : tagged(ping4(client4, vip4).label(0))) {
    expect(balancer.run(frame)).answered_by(ping4(vip4, client4).icmp_type(0)).counted({"echo_answered"});
  }
  for (const Packet& frame : tagged(ping6(client6, vip6).label(0))) {
    expect(balancer.run(frame)).answered_by(ping6(vip6, client6).icmp_type(129)).counted({"echo_answered"});
  }
}

TEST_F(BalancerTags, are_put_back_on_refusals) {
  balancer.take_down(b1);
  balancer.take_down(b2);
  for (std::uint32_t i = 0; i <= service; i++) {
    balancer.rewrite_service(i, [](phx_service& row) { row.no_backend = PHX_NO_BACKEND_REJECT; });
  }
  for (const Packet& frame : tagged(tcp4(client4, vip4).flags(kAck).payload(0).numbers(1, 2))) {
    expect(balancer.run(frame))
        .answered_by(tcp4(vip4, client4).flags(kRst).payload(0).numbers(2, 0).window(0))
        .counted({"rejected"});
  }
  const Packet datagram = udp6(client6, vip6);
  for (const Packet& frame : tagged(datagram)) {
    expect(balancer.run(frame)).answered_by(error_about(datagram, vip6.address, 1, 4)).counted({"rejected"});
  }
}

TEST_F(BalancerTags, more_than_two_are_nobodys) {
  balancer.run(tcp4(client4, vip4).vlan(1).vlan(2).vlan(3)).ignored();
  balancer.run(tcp6(client6, vip6).vlan(1, 0x88a8).vlan(2, 0x88a8).vlan(3)).ignored();
  balancer.run(tcp4(client4, vip4).vlan(1, 0x9100)).ignored();
}

TEST_F(BalancerTags, on_frames_cut_off_at_any_byte_are_left_there) {
  for (const Packet& packet : {tcp4(client4, vip4).payload(3).vlan(1).vlan(2), tcp6(client6, vip6).vlan(1)}) {
    const Bytes frame = packet.frame();
    const std::size_t destination_end =
        frame.size() - packet.ip().size() + (packet.to().address == vip4.address ? 20 : 40);
    for (std::size_t size = 14; size < frame.size(); size++) {
      const Outcome outcome = balancer.run(part(frame, 0, size));
      if (size < destination_end) {
        outcome.ignored();
      } else {
        outcome.passed().unchanged().counted({"malformed_passed"}).no_traffic();
      }
    }
  }
}

}  // namespace
}  // namespace phalanx::test

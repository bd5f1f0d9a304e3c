// SPDX-License-Identifier: Apache-2.0
// How a packet is passed on: from hop to hop, to peers alone, and never in circles.
#include "agent_hops.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#include "adapters/netlink/namespace_id.hpp"

namespace phalanx::test {
namespace {

class AgentPassing : public AgentHops {
 protected:
  void prepare(AgentRun& run) const {
    for (const std::string& vip : {vip4.address, vip6.address}) run.add_vip(vip);
    run.add_nodes(node4, 32);
    run.add_nodes(node6, 128);
    run.add_peers("10.0.9.0", 24);
    run.add_peers("fd00:9::", 64);
  }
  void expect_dropped(const Way& way, const Packet& inner, const Bytes& private_data,
                      const std::string& counter) {
    agent.run(with_hops(way, inner, private_data)).dropped().counted({counter});
  }
};

TEST_F(AgentPassing, each_hop_has_its_turn_and_the_last_takes_the_packet) {
  each_way([&](const Way& way) {
    const Packet inner = segment(way);
    const std::vector<std::string> both{way.peer, way.other_peer};
    expect_passed_on(way, inner, hops(both, 0), way.peer, hops(both, 1));
    expect_passed_on(way, inner, hops(both, 1), way.other_peer, hops(both, 2));
    expect_taken(way, with_hops(way, inner, hops(both, 2)), inner, "accepted_last_hop");
  });
}

TEST_F(AgentPassing, the_last_hop_takes_whatever_comes) {
  each_way([&](const Way& way) {
    const Bytes used_up = hops({way.peer}, 1);
    for (const Packet& inner : {segment(way, kSyn), segment(way, kRst), datagram(way)}) {
      expect_taken(way, with_hops(way, inner, used_up), inner, "accepted_last_hop");
    }
  });
}

TEST_F(AgentPassing, as_many_hops_are_served_as_the_header_holds) {
  each_way([&](const Way& way) {
    const std::size_t most = is_ipv6(way.node) ? 7 : 30;
    std::vector<std::string> all(most, way.other_peer);
    all.back() = way.peer;
    const auto last = static_cast<std::uint8_t>(most - 1);
    expect_passed_on(way, segment(way), hops(all, 0), way.other_peer, hops(all, 1));
    expect_passed_on(way, segment(way), hops(all, last), way.peer,
                     hops(all, static_cast<std::uint8_t>(most)));
  });
}

TEST_F(AgentPassing, ipv4_hops_may_come_in_version_1) {
  const Way way{node4, self4, "10.0.9.1", "10.0.9.2", stranger4, client4, vip4, "decapsulated_gue_4in4"};
  expect_passed_on(way, segment(way), hops({way.peer}, 0, true), way.peer, hops({way.peer}, 1, true));
}

TEST_F(AgentPassing, packets_come_from_peers_as_well_as_from_nodes) {
  each_way([&](const Way& way) {
    Way passed = way;
    passed.node = way.other_peer;
    const std::vector<std::string> both{way.self, way.peer};
    expect_taken(passed, with_hops(passed, segment(way), hops({way.self}, 1)), segment(way),
                 "accepted_last_hop");
    expect_passed_on(passed, segment(way), hops(both, 1), way.peer, hops(both, 2));
    expect_taken(passed, gue_tunnel(passed.node, way.self, segment(way)), segment(way), "");
  });
}

TEST_F(AgentPassing, strangers_are_refused_whatever_hops_they_name) {
  each_way([&](const Way& way) {
    for (const Bytes& private_data : {Bytes{}, hops({way.peer}), hops({way.peer}, 1), Bytes(8, 0xee)}) {
      agent.run(gue_tunnel(way.stranger, way.self, segment(way), {.private_data = private_data}))
          .dropped()
          .counted({"refused_source"});
    }
  });
}

TEST_F(AgentPassing, a_forged_hop_that_is_no_peer_gets_nothing) {
  each_way([&](const Way& way) {
    const bool ipv6 = is_ipv6(way.node);
    for (const std::string& forged : ipv6
                                         ? std::vector<std::string>{"2001:db8::bad", "::1", "ff02::1", "::"}
                                         : std::vector<std::string>{"203.0.113.66", "127.0.0.1", "224.0.0.1",
                                                                    "0.0.0.0", "255.255.255.255", way.node}) {
      expect_taken(way, with_hops(way, segment(way), hops({forged})), segment(way), "accepted_not_peer");
    }
  });
}

TEST_F(AgentPassing, a_hop_that_is_this_host_is_a_loop) {
  each_way([&](const Way& way) {
    agent.add_peers(way.self, is_ipv6(way.self) ? 128 : 32);
    expect_taken(way, with_hops(way, segment(way), hops({way.self})), segment(way), "accepted_loop");
    expect_taken(way, with_hops(way, segment(way), hops({way.peer, way.self}, 1)), segment(way),
                 "accepted_loop");
  });
}

TEST_F(AgentPassing, a_hop_that_has_just_passed_the_packet_on_is_a_loop) {
  each_way([&](const Way& way) {
    Way passed = way;
    passed.node = way.peer;
    expect_taken(passed, with_hops(passed, segment(way), hops({way.self, way.peer}, 1)), segment(way),
                 "accepted_loop");
  });
}

TEST_F(AgentPassing, a_node_may_be_a_hop_of_what_it_sends) {
  each_way([&](const Way& way) {
    agent.add_peers(way.node, is_ipv6(way.node) ? 128 : 32);
    expect_passed_on(way, segment(way), hops({way.node}), way.node, hops({way.node}, 1));
  });
}

TEST_F(AgentPassing, a_ttl_that_is_used_up_ends_the_journey) {
  each_way([&](const Way& way) {
    for (const std::uint8_t ttl : {std::uint8_t{0}, std::uint8_t{1}}) {
      agent.run(with_hop(way, segment(way)).ttl(ttl)).dropped().counted({"hop_ttl_dropped"});
    }
    agent.run(with_hop(way, segment(way)).ttl(2)).tx().counted({"passed_on"});
    expect_taken(way, with_hops(way, segment(way), hops({way.peer}, 1)).ttl(0), segment(way),
                 "accepted_last_hop");
  });
}

TEST_F(AgentPassing, a_count_past_the_end_is_dropped) {
  each_way([&](const Way& way) {
    for (const std::uint8_t count : std::initializer_list<std::uint8_t>{2, 3, 30, 255}) {
      Bytes bytes = hops({way.peer});
      bytes[3] = count;
      expect_dropped(way, segment(way), bytes, "hops_cut_dropped");
    }
    expect_dropped(way, segment(way), {0, 0, 0, 1}, "hops_cut_dropped");
    expect_dropped(way, segment(way), {0x10, 0, 0, 1, 10, 0, 9, 1}, "hops_cut_dropped");
  });
}

TEST_F(AgentPassing, private_data_behind_the_hops_is_dropped) {
  each_way([&](const Way& way) {
    Bytes bytes = hops({way.peer});
    append(bytes, {10, 0, 9, 2});
    expect_dropped(way, segment(way), bytes, "hops_trailing_dropped");
    expect_dropped(way, segment(way), {0, 0, 0, 0, 0, 0, 0, 0}, "hops_trailing_dropped");
  });
}

TEST_F(AgentPassing, a_next_hop_beyond_the_count_is_dropped) {
  each_way([&](const Way& way) {
    for (const std::uint8_t next : std::initializer_list<std::uint8_t>{2, 3, 31, 255}) {
      expect_dropped(way, segment(way), hops({way.peer}, next), "hops_beyond_dropped");
    }
    expect_dropped(way, segment(way), {0, 0, 1, 0}, "hops_beyond_dropped");
  });
}

TEST_F(AgentPassing, other_versions_of_hops_are_dropped) {
  each_way([&](const Way& way) {
    for (const std::uint8_t version :
         std::initializer_list<std::uint8_t>{0x01, 0x04, 0x08, 0x20, 0xee, 0xff}) {
      Bytes bytes = hops({way.peer});
      bytes[0] = version;
      expect_dropped(way, segment(way), bytes, "hops_unknown_dropped");
    }
    Bytes reserved = hops({way.peer});
    reserved[1] = 1;
    expect_dropped(way, segment(way), reserved, "hops_unknown_dropped");
    for (std::size_t words = 1; words < 32; words++) {
      expect_dropped(way, segment(way), Bytes(words * 4, 0xee), "hops_unknown_dropped");
    }
  });
}

TEST_F(AgentPassing, private_data_that_the_frame_cuts_off_is_refused) {
  each_way([&](const Way& way) {
    const Bytes frame = with_hops(way, segment(way, kSyn), hops({way.peer})).frame();
    const std::size_t ports_end = is_ipv6(way.node) ? 62 : 42;
    for (std::size_t size = ports_end; size < frame.size(); size++) {
      agent.run(part(frame, 0, size)).dropped().counted({"refused_inner"});
    }
  });
}

TEST_F(AgentPassing, a_udp_checksum_that_there_is_stays_right) {
  each_way([&](const Way& way) {
    const auto with_checksum = [&](const std::string& from, const std::string& to, std::uint8_t next) {
      const Packet plain = gue_tunnel(from, to, segment(way), {.private_data = hops({way.peer}, next)});
      const Bytes ip = plain.ip();
      const std::size_t udp = is_ipv6(from) ? 40 : 20;
      Bytes covered = address_bytes(from);
      append(covered, address_bytes(to));
      append(covered, {0, 17});
      append16(covered, static_cast<unsigned>(ip.size() - udp));
      append(covered, part(ip, udp, ip.size()));
      return gue_tunnel(from, to, segment(way),
                        {.private_data = hops({way.peer}, next), .checksum = internet_checksum(covered)});
    };
    const Outcome outcome = agent.run(with_checksum(way.node, way.self, 0).ttl(9));
    outcome.tx().counted({"passed_on"});
    EXPECT_EQ(hex(outcome.result.frame),
              hex(sent_back(outcome.sent_in, with_checksum(way.self, way.peer, 1).ttl(8))));
  });
}

TEST_F(AgentPassing, the_congestion_mark_outside_goes_on) {
  each_way([&](const Way& way) {
    const Outcome outcome = agent.run(with_hop(way, segment(way)).traffic_class(0x2b).ttl(9));
    outcome.tx().counted({"passed_on"});
    const Packet expected =
        gue_tunnel(way.self, way.peer, segment(way), {.private_data = hops({way.peer}, 1)});
    EXPECT_EQ(hex(outcome.result.frame),
              hex(sent_back(outcome.sent_in, Packet(expected).traffic_class(0x2b).ttl(8))));
  });
}

TEST_F(AgentPassing, a_hop_of_the_other_family_gets_the_packet_in_a_header_of_its_own) {
  AgentRun both({.own_addresses = {self4, self6}});
  prepare(both);
  each_way([&](const Way& way) {
    const bool was6 = is_ipv6(way.node);
    const std::string hop = was6 ? "10.0.9.1" : "fd00:9::1";
    const Packet sent = with_hops(way, segment(way), hops({hop}, 0, true)).ttl(9).traffic_class(0x2a);
    const Outcome outcome = both.run(sent);
    outcome.tx().counted({"passed_on"});
    const Packet expected =
        gue_tunnel(was6 ? self4 : self6, hop, segment(way), {.private_data = hops({hop}, 1, true)})
            .ttl(8)
            .traffic_class(0x2a)
            .label(was6 ? 0 : 0xc123);
    EXPECT_EQ(hex(outcome.result.frame), hex(sent_back(outcome.sent_in, expected)));
  });
}

TEST_F(AgentPassing, without_an_address_of_the_hops_family_the_packet_is_taken) {
  each_way([&](const Way& way) {
    const Bytes private_data = hops({is_ipv6(way.node) ? "10.0.9.1" : "fd00:9::1"}, 0, true);
    expect_taken(way, with_hops(way, segment(way), private_data), segment(way), "accepted_no_address");
  });
}

TEST_F(AgentPassing, without_room_for_a_longer_header_the_packet_is_dropped) {
  AgentRun both({.own_addresses = {self4, self6}});
  prepare(both);
  both.take_headroom(210);  // of 256, 40 of which are the kernel's
  const Packet inner = tcp4(client4, vip4);
  both.run(gue_tunnel(node4, self4, inner, {.private_data = hops({"fd00:9::1"})}))
      .dropped()
      .counted({"no_room_dropped"});
}

// Sockets of a container: this process enters its namespace, and comes back.
class Container {
 public:
  explicit Container(const std::function<void()>& make_sockets) {
    const Socket home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    require(::unshare(CLONE_NEWNET) == 0, "there is no network namespace to be had");
    namespace_ = Socket(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    Network::ip({"link set lo up"});
    add_addresses();
    make_sockets();
    require(::setns(home.fd(), CLONE_NEWNET) == 0, "the way home is closed");
  }
  [[nodiscard]] std::uint32_t id() const {
    const auto id = adapters::namespace_id("/proc/self/fd/" + std::to_string(namespace_.fd()));
    require(id.has_value(), "a namespace gets no id");
    return *id;
  }

 private:
  Socket namespace_;
};

TEST_F(AgentPassing, sockets_of_configured_namespaces_know_their_flows) {
  each_way([&](const Way& way) {
    Socket server;
    Socket client;
    Socket ours;
    Socket datagrams;
    const Container other([] {});
    const Container container([&] {
      server = listening(way.vip);
      client = connected(SOCK_STREAM, way.client, way.vip);
      ours = accepted(server);
      datagrams = connected(SOCK_DGRAM, way.vip, way.client);
    });
    expect_passed_on(way, segment(way));
    AgentRun asking({.namespaces = {other.id(), container.id()}});
    prepare(asking);
    const auto expect_accepted = [&](const Packet& inner, const std::string& reason) {
      asking.run(with_hop(way, inner)).passed().counted({way.taken, reason});
    };
    expect_accepted(segment(way), "accepted_established");
    expect_accepted(datagram(way), "accepted_established");
    Way another = way;
    another.client.port++;
    expect_accepted(segment(another, kSyn), "accepted_syn");
    asking.run(with_hop(another, segment(another))).tx().counted({"passed_on"});
    const linger at_once{1, 0};
    setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  });
}

TEST_F(AgentPassing, a_namespace_that_is_gone_knows_nothing) {
  AgentRun asking({.namespaces = {12345}});
  prepare(asking);
  each_way([&](const Way& way) { asking.run(with_hop(way, segment(way))).tx().counted({"passed_on"}); });
}

// The kernel's FIB, in this namespace: peers are behind a gateway on the interface "backends".
class AgentRoutes : public AgentPassing {
 protected:
  AgentRoutes() {
    Network::ip({"route add 10.0.9.0/24 via 10.0.0.2 dev backends",
                 "route add fd00:9::/64 via fd00::2 dev backends",
                 "neighbour add 10.0.0.2 dev backends lladdr 02:00:00:00:dd:01 nud permanent",
                 "neighbour add fd00::2 dev backends lladdr 02:00:00:00:dd:01 nud permanent"});
  }

  void expect_sent_by_route(const Way& way) {
    const Outcome outcome = agent.run(with_hop(way, segment(way)).ttl(9));
    outcome.redirected().counted({"passed_on"});
    Bytes frame{0x02, 0, 0, 0, 0xdd, 0x01};
    for (int shift = 40; shift >= 0; shift -= 8) {
      frame.push_back(static_cast<std::uint8_t>(Network::mac_of("backends") >> shift));
    }
    const Bytes rest =
        gue_tunnel(way.self, way.peer, segment(way), {.private_data = hops({way.peer}, 1)}).ttl(8).frame();
    append(frame, part(rest, 12, rest.size()));
    EXPECT_EQ(hex(outcome.result.frame), hex(frame));
  }
};

TEST_F(AgentRoutes, packets_are_sent_to_the_neighbour_that_the_route_names) {
  each_way([&](const Way& way) { expect_sent_by_route(way); });
}

TEST_F(AgentRoutes, without_a_known_neighbour_packets_go_back_whence_they_came) {
  Network::ip({"neighbour del 10.0.0.2 dev backends", "neighbour del fd00::2 dev backends"});
  each_way([&](const Way& way) { expect_passed_on(way, segment(way)); });
}

TEST_F(AgentRoutes, a_host_that_does_not_forward_sends_packets_back_whence_they_came) {
  Network::set("ipv4/conf/lo/forwarding", 0);
  Network::set("ipv6/conf/all/forwarding", 0);
  each_way([&](const Way& way) { expect_passed_on(way, segment(way)); });
}

TEST_F(AgentRoutes, a_packet_that_is_too_big_for_the_way_is_dropped) {
  Network::ip({"link set backends mtu 1300"});
  each_way([&](const Way& way) {
    agent.run(with_hop(way, segment(way).payload(1300))).dropped().counted({"hop_too_big_dropped"});
    expect_sent_by_route(way);
  });
}

}  // namespace
}  // namespace phalanx::test

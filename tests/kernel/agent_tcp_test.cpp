// SPDX-License-Identifier: Apache-2.0
// A TCP segment that has hops is taken by the host whose socket knows its connection, and passed on by
// others.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "agent_hops.hpp"

namespace phalanx::test {
namespace {

class AgentTcp : public AgentHops {};

TEST_F(AgentTcp, without_hops_every_segment_is_taken_whatever_is_known_of_it) {
  each_way([&](const Way& way) {
    for (const std::uint8_t flags : {kSyn, kAck, kRst, kFin}) {
      const Packet inner = segment(way, flags);
      expect_taken(way, gue_tunnel(way.node, way.self, inner), inner, "");
      expect_taken(way, with_hops(way, inner, hops({})), inner, "");
      expect_taken(way, with_hops(way, inner, hops({}, 0, true)), inner, "");
    }
  });
}

TEST_F(AgentTcp, unknown_segments_are_passed_on) {
  each_way([&](const Way& way) {
    for (const std::uint8_t flags :
         {kAck, std::uint8_t(kAck | kPush), std::uint8_t(kFin | kAck), kRst, std::uint8_t(kSyn | kAck)}) {
      expect_passed_on(way, segment(way, flags));
    }
  });
}

TEST_F(AgentTcp, segments_of_an_established_connection_are_taken) {
  each_way([&](const Way& way) {
    const Socket server = listening(way.vip);
    const Socket client = connected(SOCK_STREAM, way.client, way.vip);
    const Socket ours = accepted(server);
    for (const std::uint8_t flags : {kAck, kRst, kFin, kSyn}) {
      expect_known(way, segment(way, flags), "accepted_established");
    }
    Way other = way;
    other.client.port++;
    expect_passed_on(other, segment(other));
    const linger at_once{1, 0};
    setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  });
}

TEST_F(AgentTcp, segments_of_a_handshake_under_way_are_taken) {
  each_way([&](const Way& way) {
    const Socket server = listening(way.vip);
    const int seconds = 30;  // until data comes, the connection is a request
    setsockopt(server.fd(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    const Socket client = connected(SOCK_STREAM, way.client, way.vip);
    expect_known(way, segment(way), "accepted_established");
    expect_known(way, segment(way, kSyn), "accepted_established");
    const linger at_once{1, 0};
    setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  });
}

TEST_F(AgentTcp, what_is_left_of_a_connection_in_time_wait_is_taken) {
  each_way([&](const Way& way) {
    Way mine = way;
    mine.client.port = static_cast<std::uint16_t>(41000 + next_port++);
    Socket server = listening(mine.vip);
    Socket client = connected(SOCK_STREAM, mine.client, mine.vip);
    Socket ours = accepted(server);
    ours.close();  // first: time-wait is the server's
    char byte = 0;
    ASSERT_EQ(::recv(client.fd(), &byte, 1, 0), 0);
    client.close();
    expect_known(mine, segment(mine), "accepted_established");
    expect_known(mine, segment(mine, kSyn), "accepted_established");
    server.close();
    expect_known(mine, segment(mine), "accepted_established");
    expect_passed_on(mine, segment(mine, kSyn));
    expect_passed_on(mine, segment(mine));  // of the connection that the SYN opened elsewhere
    Way other = mine;
    other.client.port++;
    expect_passed_on(other, segment(other));
    server = listening(mine.vip);
    expect_passed_on(mine, segment(mine));  // also when somebody listens again
    expect_known(mine, segment(mine, kSyn), "accepted_established");
    expect_known(mine, segment(mine), "accepted_established");
  });
}

TEST_F(AgentTcp, a_syn_is_taken_where_somebody_listens_and_passed_on_elsewhere) {
  each_way([&](const Way& way) {
    expect_passed_on(way, segment(way, kSyn));
    {
      const Socket server = listening(way.vip);
      expect_known(way, segment(way, kSyn), "accepted_syn");
      expect_known(way, segment(way, kSyn | 0xc0), "accepted_syn");  // with ECN offered
      Way other = way;
      other.vip.port++;
      expect_passed_on(other, segment(other, kSyn));
    }
    expect_passed_on(way, segment(way, kSyn));
  });
}

TEST_F(AgentTcp, a_listener_for_any_address_counts) {
  each_way([&](const Way& way) {
    const Socket server = listening({is_ipv6(way.vip.address) ? "::" : "0.0.0.0", way.vip.port});
    expect_known(way, segment(way, kSyn), "accepted_syn");
  });
}

TEST_F(AgentTcp, a_listener_is_no_reason_to_take_segments_of_unknown_connections) {
  each_way([&](const Way& way) {
    const Socket server = listening(way.vip);
    for (const std::uint8_t flags :
         {kAck, kRst, kFin, std::uint8_t(kSyn | kAck), std::uint8_t(kSyn | kRst)}) {
      expect_passed_on(way, segment(way, flags));
    }
  });
}

TEST_F(AgentTcp, the_ack_of_a_syn_cookie_is_taken_and_a_forged_one_is_not) {
  Network::set("ipv4/tcp_syncookies", 2);
  each_way([&](const Way& way) {
    Way mine = way;
    mine.client.port = static_cast<std::uint16_t>(42000 + next_port++);
    const Socket server = listening(mine.vip);
    const std::uint32_t sequence = 0x01020304;
    const std::uint32_t cookie = sequence_of_answer(segment(mine, kSyn).numbers(sequence, 0));
    expect_known(mine, segment(mine, kAck).numbers(sequence + 1, cookie + 1), "accepted_cookie");
    expect_passed_on(mine, segment(mine, kAck).numbers(sequence + 1, cookie + 0x01000002));
    Way other = mine;
    other.client.port++;
    expect_passed_on(other, segment(other, kAck).numbers(sequence + 1, cookie + 1));
  });
}

TEST_F(AgentTcp, options_and_extension_headers_hide_no_connection) {
  each_way([&](const Way& way) {
    const Socket server = listening(way.vip);
    Packet inner = segment(way, kSyn);
    if (is_ipv6(way.vip.address)) {
      inner.extension(0).extension(60, 16);
    } else {
      inner.options(3);
    }
    expect_known(way, inner, "accepted_syn");
    Way other = way;
    other.vip.port++;
    Packet unknown = segment(other, kAck);
    if (is_ipv6(way.vip.address)) {
      unknown.extension(60);
    } else {
      unknown.options(10);
    }
    expect_passed_on(other, unknown);
  });
}

TEST_F(AgentTcp, what_tells_no_flow_is_taken) {
  each_way([&](const Way& way) {
    const bool ipv6 = is_ipv6(way.vip.address);
    Packet first = segment(way);
    Packet later = segment(way);
    for (const Packet& inner : {first.fragment(0, true), later.fragment(9, false)}) {
      expect_known(way, inner, "accepted_no_flow");
    }
    const Packet ping = ipv6 ? ping6(way.client, way.vip) : ping4(way.client, way.vip);
    expect_known(way, ping, "accepted_no_flow");
    expect_known(way, Packet(132, way.client, way.vip).carrying(Bytes(40, 1)), "accepted_no_flow");
    expect_known(way, segment(way).carrying(Bytes(12, 1)), "accepted_no_flow");  // a header cut short
  });
}

}  // namespace
}  // namespace phalanx::test

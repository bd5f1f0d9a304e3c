// SPDX-License-Identifier: Apache-2.0
// UDP datagrams and ICMP errors that have hops.
#include <sys/socket.h>

#include "agent_hops.hpp"

namespace phalanx::test {
namespace {

class AgentUdp : public AgentHops {
 protected:
  // Of the flow's answers, as a router on the way to the client says it.
  static Packet error_about_answer(const Way& way, const Packet& answer) {
    const bool ipv6 = is_ipv6(way.vip.address);
    return ipv6 ? error_about(answer, "2001:db8:77::1", 2, 0, 1000, 1400)
                : error_about(answer, "192.0.2.77", 3, 4, 1000, 1400);
  }
  static Packet tcp_answer(const Way& way) {
    return is_ipv6(way.vip.address) ? tcp6(way.vip, way.client) : tcp4(way.vip, way.client);
  }
  static Packet udp_answer(const Way& way) {
    return is_ipv6(way.vip.address) ? udp6(way.vip, way.client) : udp4(way.vip, way.client);
  }
};

TEST_F(AgentUdp, without_hops_every_datagram_is_taken) {
  each_way([&](const Way& way) {
    expect_taken(way, gue_tunnel(way.node, way.self, datagram(way)), datagram(way), "");
    expect_taken(way, with_hops(way, datagram(way), hops({})), datagram(way), "");
  });
}

TEST_F(AgentUdp, a_datagram_that_no_socket_takes_is_passed_on) {
  each_way([&](const Way& way) { expect_passed_on(way, datagram(way)); });
}

TEST_F(AgentUdp, a_connected_socket_takes_its_peers_datagrams_and_no_others) {
  each_way([&](const Way& way) {
    const Socket socket = connected(SOCK_DGRAM, way.vip, way.client);
    expect_known(way, datagram(way), "accepted_established");
    Way other = way;
    other.client.port++;
    expect_passed_on(other, datagram(other));
  });
}

TEST_F(AgentUdp, a_socket_without_peer_takes_everybodys_datagrams) {
  each_way([&](const Way& way) {
    const Socket socket = bound(SOCK_DGRAM, way.vip);
    expect_known(way, datagram(way), "accepted_unconnected");
    Way other = way;
    other.vip.port++;
    expect_passed_on(other, datagram(other));
  });
}

TEST_F(AgentUdp, a_tcp_socket_takes_no_datagrams) {
  each_way([&](const Way& way) {
    const Socket socket = listening(way.vip);
    expect_passed_on(way, datagram(way));
  });
}

TEST_F(AgentUdp, fragments_of_a_datagram_stay_together) {
  each_way([&](const Way& way) {
    Packet first = datagram(way);
    Packet later = datagram(way);
    expect_known(way, first.fragment(0, true), "accepted_no_flow");
    expect_known(way, later.fragment(2, false), "accepted_no_flow");
  });
}

TEST_F(AgentUdp, errors_go_where_the_connection_is_that_they_quote) {
  each_way([&](const Way& way) {
    const Packet error = error_about_answer(way, tcp_answer(way));
    expect_passed_on(way, error);
    const Socket server = listening(way.vip);
    expect_passed_on(way, error);
    const Socket client = connected(SOCK_STREAM, way.client, way.vip);
    expect_known(way, error, "accepted_quote");
    const linger at_once{1, 0};
    setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  });
}

TEST_F(AgentUdp, errors_go_where_the_udp_socket_is_whose_datagram_they_quote) {
  each_way([&](const Way& way) {
    const Packet error = error_about_answer(way, udp_answer(way));
    expect_passed_on(way, error);
    const Socket socket = bound(SOCK_DGRAM, way.vip);
    expect_known(way, error, "accepted_quote");
  });
}

TEST_F(AgentUdp, a_short_quote_tells_its_flow_as_well) {
  each_way([&](const Way& way) {
    const bool ipv6 = is_ipv6(way.vip.address);
    const std::size_t ports = (ipv6 ? 40 : 20) + 4;
    const auto quote = [&](std::size_t size) {
      return error_about(tcp_answer(way), ipv6 ? "2001:db8:77::1" : "192.0.2.77", ipv6 ? 1 : 3, 1, size);
    };
    expect_passed_on(way, quote(ports + 4));
    expect_passed_on(way, quote(ports));
    expect_known(way, quote(ports - 1), "accepted_no_flow");
    expect_known(way, quote(0), "accepted_no_flow");
  });
}

TEST_F(AgentUdp, an_error_that_quotes_what_another_address_sent_tells_no_flow) {
  each_way([&](const Way& way) {
    Way foreign = way;
    foreign.vip.address = is_ipv6(way.vip.address) ? "2001:db8:e::99" : "198.51.100.99";
    const Bytes about_another = error_about_answer(foreign, tcp_answer(foreign)).ip();
    const std::size_t header = is_ipv6(way.vip.address) ? 40 : 20;
    const Packet error = Packet(is_ipv6(way.vip.address) ? 58 : 1,
                                {is_ipv6(way.vip.address) ? "2001:db8:77::1" : "192.0.2.77"}, way.vip)
                             .carrying(part(about_another, header, about_another.size()));
    expect_known(way, error, "accepted_no_flow");
  });
}

TEST_F(AgentUdp, errors_at_the_last_hop_are_taken) {
  each_way([&](const Way& way) {
    const Packet error = error_about_answer(way, tcp_answer(way));
    expect_taken(way, with_hops(way, error, hops({way.peer}, 1)), error, "accepted_last_hop");
  });
}

}  // namespace
}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
// An agent with peers, in a namespace whose sockets the tests make.
#pragma once

#include <functional>

#include "agent_run.hpp"
#include "network_fixture.hpp"
#include "sockets.hpp"

namespace phalanx::test {

// Private data by hops.h: version 0 if all hops are of IPv4 and nobody wants another, else version 1.
Bytes hops(const std::vector<std::string>& addresses, std::uint8_t next = 0, bool as_version_1 = false);

// The VIPs' and clients' of the tests, on the loopback interface of the namespace that this process is in.
void add_addresses();

class AgentHops : public Agent {
 protected:
  // One combination of families: of the tunnel and its hops, and of what it carries.
  struct Way {
    std::string node, self, peer, other_peer, stranger;
    Endpoint client, vip;
    std::string taken;  // the counter of packets taken out of such a tunnel
  };

  AgentHops();

  // Does it for all four.
  void each_way(const std::function<void(const Way&)>& act);

  static Packet segment(const Way& way, std::uint8_t flags = kAck | kPush);
  static Packet datagram(const Way& way);
  // From a node, with `peer` as its only hop unless told.
  static Packet with_hops(const Way& way, const Packet& inner, const Bytes& private_data);
  static Packet with_hop(const Way& way, const Packet& inner) {
    return with_hops(way, inner, hops({way.peer}));
  }

  void expect_taken(const Way& way, const Packet& tunnelled, const Packet& inner, const std::string& reason);
  // Back whence it came, in the same tunnel but for addresses, `next` and TTL.
  void expect_passed_on(const Way& way, const Packet& inner, const Bytes& before, const std::string& hop,
                        const Bytes& after);
  void expect_passed_on(const Way& way, const Packet& inner) {
    expect_passed_on(way, inner, hops({way.peer}), way.peer, hops({way.peer}, 1));
  }
  void expect_known(const Way& way, const Packet& inner, const std::string& reason) {
    expect_taken(way, with_hop(way, inner), inner, reason);
  }

  // As a router or node gets the frame back that it sent.
  static Bytes sent_back(const Bytes& sent_in, const Packet& expected);

  const Network network;
  std::uint16_t next_port = 0;  // for connections that leave something behind
};

}  // namespace phalanx::test

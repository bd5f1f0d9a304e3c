// SPDX-License-Identifier: Apache-2.0
#include "agent_hops.hpp"

#include <algorithm>

namespace phalanx::test {

Bytes hops(const std::vector<std::string>& addresses, std::uint8_t next, bool as_version_1) {
  const bool version_1 = as_version_1 || std::any_of(addresses.begin(), addresses.end(),
                                                     [](const auto& a) { return is_ipv6(a); });
  Bytes bytes{static_cast<std::uint8_t>(version_1 ? 0x10 : 0), 0, next,
              static_cast<std::uint8_t>(addresses.size())};
  for (const std::string& address : addresses) {
    if (version_1 && !is_ipv6(address)) append(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff});
    append(bytes, address_bytes(address));
  }
  return bytes;
}

void add_addresses() {
  Network::ip({"address add 203.0.113.7/32 dev lo", "address add 198.51.100.10/32 dev lo",
               "address add 2001:db8:c::7/128 dev lo nodad", "address add 2001:db8:e::10/128 dev lo nodad"});
  for (const char* address : {"2001:db8:c::7", "2001:db8:e::10"}) {
    wait_until_routed({address, 9});
  }
}

AgentHops::AgentHops() {
  add_addresses();
  agent.add_peers("10.0.9.0", 24);
  agent.add_peers("fd00:9::", 64);
}

void AgentHops::each_way(const std::function<void(const Way&)>& act) {
  for (const bool tunnel6 : {false, true}) {
    for (const bool inner6 : {false, true}) {
      Way way{tunnel6 ? node6 : node4,
              tunnel6 ? self6 : self4,
              tunnel6 ? "fd00:9::1" : "10.0.9.1",
              tunnel6 ? "fd00:9::2" : "10.0.9.2",
              tunnel6 ? stranger6 : stranger4,
              inner6 ? client6 : client4,
              inner6 ? vip6 : vip4,
              std::string("decapsulated_gue_") + (inner6 ? "6" : "4") + "in" + (tunnel6 ? "6" : "4")};
      SCOPED_TRACE(way.taken);
      act(way);
    }
  }
}

Packet AgentHops::segment(const Way& way, std::uint8_t flags) {
  const bool syn = (flags & kSyn) != 0;
  return (is_ipv6(way.vip.address) ? tcp6(way.client, way.vip) : tcp4(way.client, way.vip))
      .flags(flags)
      .payload(syn ? 0 : 20);
}

Packet AgentHops::datagram(const Way& way) {
  return (is_ipv6(way.vip.address) ? udp6(way.client, way.vip) : udp4(way.client, way.vip)).payload(20);
}

Packet AgentHops::with_hops(const Way& way, const Packet& inner, const Bytes& private_data) {
  return gue_tunnel(way.node, way.self, inner, {.private_data = private_data});
}

void AgentHops::expect_taken(const Way& way, const Packet& tunnelled, const Packet& inner,
                             const std::string& reason) {
  const Outcome outcome = agent.run(tunnelled);
  if (reason.empty()) {
    outcome.passed().counted({way.taken});
  } else {
    outcome.passed().counted({way.taken, reason});
  }
  EXPECT_EQ(hex(outcome.result.frame), hex(inner.frame())) << "for " << hex(outcome.sent_in);
}

Bytes AgentHops::sent_back(const Bytes& sent_in, const Packet& expected) {
  Bytes frame = part(sent_in, 6, 6);
  append(frame, part(sent_in, 0, 6));
  const Bytes rest = expected.frame();
  append(frame, part(rest, 12, rest.size()));
  return frame;
}

void AgentHops::expect_passed_on(const Way& way, const Packet& inner, const Bytes& before,
                                 const std::string& hop, const Bytes& after) {
  const Outcome outcome = agent.run(with_hops(way, inner, before).ttl(9));
  outcome.tx().counted({"passed_on"});
  const Packet expected = gue_tunnel(way.self, hop, inner, {.private_data = after}).ttl(8);
  EXPECT_EQ(hex(outcome.result.frame), hex(sent_back(outcome.sent_in, expected)))
      << "for " << hex(outcome.sent_in);
}

}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
// Where frames that a route sends through an interface leave the host: through that very interface, or
// through the one under it with a VLAN tag. The packet path runs on the latter, and writes the tag itself.
#pragma once

#include <cstdint>
#include <map>

#include "adapters/netlink/messages.hpp"
#include "core/next_hop.hpp"
#include "core/result.hpp"

namespace phalanx::adapters {

using Links = std::map<std::uint32_t, LinkRow>;  // by index

struct Outgoing {
  std::uint32_t interface = 0;  // index
  core::MacAddress source{};
  std::uint16_t vlan = 0;  // id of the tag; 0: none
  std::uint32_t mtu = 0;   // of the interface that the route names
};

// What fails ends the sentence "the route to 10.0.1.11 leads through ...": the interface is gone, down or not
// Ethernet, or its tags are more, or others, than one of 802.1Q.
Result<Outgoing> outgoing(const Links& links, std::uint32_t interface);

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
// Where frames to an address go next, as the kernel's routes and neighbours say.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "core/address.hpp"

namespace phalanx::core {

using MacAddress = std::array<std::uint8_t, 6>;

struct NextHop {
  MacAddress destination{};
  MacAddress source{};
  std::uint32_t interface = 0;  // ifindex
  bool on_link = false;         // the target itself, not a gateway: what `l2` forwarding needs
  bool this_host = false;    // the host is its own backend: packets stay here, and what is above says nothing
  Address preferred_source;  // of the route, of the target's family
  std::uint16_t vlan = 0;    // id of the outgoing 802.1Q tag; 0: untagged
  std::uint16_t mtu = 0;     // largest IP packet that may leave by it; 0: not known

  friend bool operator==(const NextHop&, const NextHop&) = default;
};

}  // namespace phalanx::core

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
  Address preferred_source;     // of the route, of the target's family

  friend bool operator==(const NextHop&, const NextHop&) = default;
};

}  // namespace phalanx::core

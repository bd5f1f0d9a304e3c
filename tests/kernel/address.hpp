// SPDX-License-Identifier: Apache-2.0
// Addresses in the tests' own words, and as the maps hold them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace phalanx::test {

using Bytes = std::vector<std::uint8_t>;

// One end of a conversation. The address is text ("203.0.113.7", "2001:db8::7").
struct Endpoint {
  std::string address;
  std::uint16_t port = 0;
};

bool is_ipv6(const std::string& address);

// 4 or 16 bytes in network order. Stops the test program when the text is no address.
Bytes address_bytes(const std::string& address);

// As the maps hold it: 16 bytes, an IPv4 address in the first four.
std::array<std::uint8_t, 16> map_address(const std::string& address);

// enum phx_family of the address.
std::uint8_t map_family(const std::string& address);

}  // namespace phalanx::test

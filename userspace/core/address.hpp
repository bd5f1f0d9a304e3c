// SPDX-License-Identifier: Apache-2.0
// IP addresses, prefixes and endpoints as values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace phalanx::core {

enum class Family : std::uint8_t { ipv4 = 4, ipv6 = 6 };

// Network byte order. An IPv4 address lies in the first four bytes, the rest is zero: the layout of
// phalanx.h.
struct Address {
  Family family = Family::ipv4;
  std::array<std::uint8_t, 16> bytes{};

  friend auto operator<=>(const Address&, const Address&) = default;

  // Bytes in use: 4 or 16.
  int size() const { return family == Family::ipv4 ? 4 : 16; }
};

// Dotted quads (RFC 6943 section 3.1.1, strict form) and RFC 4291 section 2.2 text, without zone. Nothing
// else.
std::optional<Address> parse_address(std::string_view text);

// RFC 5952 for IPv6.
std::string to_string(const Address& address);

struct Prefix {
  Address address;  // host bits may be set
  int length = 0;   // 0..32 or 0..128

  friend auto operator<=>(const Prefix&, const Prefix&) = default;

  int host_bits() const { return address.size() * 8 - length; }
};

// "ADDRESS" (a host prefix) or "ADDRESS/LENGTH".
std::optional<Prefix> parse_prefix(std::string_view text);
std::string to_string(const Prefix& prefix);

// The addresses with all host bits clear, and with all of them set.
Address first_of(const Prefix& prefix);
Address last_of(const Prefix& prefix);

struct Endpoint {
  Address address;
  std::uint16_t port = 0;  // host byte order

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// "192.0.2.1:80" or "[2001:db8::1]:80".
std::optional<Endpoint> parse_endpoint(std::string_view text);
std::string to_string(const Endpoint& endpoint);

}  // namespace phalanx::core

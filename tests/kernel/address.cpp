// SPDX-License-Identifier: Apache-2.0
#include "address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace phalanx::test {

bool is_ipv6(const std::string& address) {
  return address.find(':') != std::string::npos;
}

Bytes address_bytes(const std::string& address) {
  Bytes bytes(is_ipv6(address) ? 16 : 4);
  if (inet_pton(is_ipv6(address) ? AF_INET6 : AF_INET, address.c_str(), bytes.data()) != 1) {
    std::fprintf(stderr, "the test names \"%s\", which is no IP address\n", address.c_str());
    std::abort();
  }
  return bytes;
}

std::array<std::uint8_t, 16> map_address(const std::string& address) {
  std::array<std::uint8_t, 16> padded{};
  const Bytes bytes = address_bytes(address);
  std::copy(bytes.begin(), bytes.end(), padded.begin());
  return padded;
}

std::uint8_t map_family(const std::string& address) {
  return is_ipv6(address) ? 6 : 4;
}

}  // namespace phalanx::test

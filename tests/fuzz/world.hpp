// SPDX-License-Identifier: Apache-2.0
// What the fuzzed programs are configured with: every mode, family, rule and state of a backend at once.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace phalanx::fuzz {

// Puts a row into a map of the program, natively or in the kernel.
using PutRow = std::function<void(const std::string& map, const void* key, const void* value)>;

void fill_balancer(const PutRow& put);
void fill_agent(const PutRow& put);

// Addresses and ports that occur in that configuration, and some that don't: a frame made of them is likely
// to get far. 16 bytes as in phalanx.h.
using Address = std::array<std::uint8_t, 16>;
struct Host {
  Address address;
  bool is_ipv6;
};
const std::vector<Host>& known_hosts();
Address served_vip(bool is_ipv6);
const std::vector<std::uint16_t>& known_ports();
const std::vector<std::uint16_t>& service_ports();

}  // namespace phalanx::fuzz

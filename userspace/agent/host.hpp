// SPDX-License-Identifier: Apache-2.0
// What the kernel says of this host and of its configured network namespaces.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/diagnosis.hpp"
#include "core/address.hpp"

namespace phalanx::agent {

// What of HostFacts is configuration, not the host's state.
struct HostQuestion {
  std::string interface;  // empty: the agent is attached to none
  std::vector<core::Address> vips;
  std::vector<core::Prefix> nodes, peers;
  std::uint16_t gue_port = 0;
  std::vector<std::string> namespaces;
};

// What cannot be found out is a sentence in `unreadable`.
HostFacts read_host(const HostQuestion& question);

// How many TCP connections each VIP and port has, here and in the configured namespaces: established, or half
// closed by the client. What cannot be asked is a sentence added to `unreadable`.
std::map<core::Endpoint, std::uint64_t> count_connections(const HostQuestion& question,
                                                          std::vector<std::string>& unreadable);

}  // namespace phalanx::agent

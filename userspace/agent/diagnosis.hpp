// SPDX-License-Identifier: Apache-2.0
// What about a host keeps packets that the agent takes, or passes on, from arriving. Pure.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/address.hpp"

namespace phalanx::agent {

// Where packets go that no other route is for.
enum class DefaultRoute { none, by_this_interface, by_another };

// Who else has a UDP socket on the port of GUE.
enum class PortOwner { nobody, kernel, process };

struct HostFacts {
  std::string interface;  // that the agent is attached to
  std::uint32_t mtu = 0;  // of the interface; 0: not known
  int rp_filter = 0;      // as it is in force: the higher of the interface's own and that of `all`
  DefaultRoute default_route = DefaultRoute::by_this_interface;  // of IPv4
  bool accept_local = false;                                     // as it is in force
  bool forwarding4 = false;                                      // the interface's own
  bool forwarding6 = false;
  std::set<core::Family> node_families, peer_families;
  std::vector<core::Address> vips;
  std::set<core::Address> vips_here;           // that this host takes packets for
  std::set<core::Address> vips_in_namespaces;  // that configured namespaces take packets for
  std::uint16_t gue_port = 0;
  PortOwner gue_port_owner = PortOwner::nobody;
  std::vector<std::string> unreadable;  // why something could not be found out: sentences
};

// A sentence for each trap, which says what to do. The worst come first.
std::vector<std::string> diagnose(const HostFacts& facts);

}  // namespace phalanx::agent

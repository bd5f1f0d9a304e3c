// SPDX-License-Identifier: Apache-2.0
// What rtnetlink messages say, as values (man 7 rtnetlink; linux/rtnetlink.h, linux/neighbour.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/address.hpp"
#include "core/next_hop.hpp"

struct nlmsghdr;

namespace phalanx::adapters {

// An interface that puts a tag before what it sends, and sends it through another one.
struct VlanDevice {
  std::uint16_t id = 0;
  bool is_8021q = true;        // else 802.1ad
  std::uint32_t parent = 0;    // index
  bool parent_is_here = true;  // else in another network namespace

  friend bool operator==(const VlanDevice&, const VlanDevice&) = default;
};

struct LinkRow {
  std::uint32_t index = 0;
  std::string name;
  core::MacAddress mac{};
  bool ethernet = false;  // ARPHRD_ETHER with a MAC address of six bytes
  bool up = false;        // administratively, and its carrier
  std::uint32_t mtu = 0;
  std::optional<VlanDevice> vlan;

  friend bool operator==(const LinkRow&, const LinkRow&) = default;
};

// A neighbour is known by its interface and address.
struct NeighbourKey {
  std::uint32_t interface = 0;
  core::Address address;

  friend auto operator<=>(const NeighbourKey&, const NeighbourKey&) = default;
};

struct NeighbourRow {
  NeighbourKey key;
  std::uint16_t state = 0;  // NUD_*
  std::optional<core::MacAddress> mac;
  bool managed = false;       // NTF_EXT_MANAGED
  std::uint8_t protocol = 0;  // who made it, RTPROT_*
};

// A change of a route: which addresses may be concerned.
struct RouteChange {
  core::Prefix destination;
};

struct RouteRow {
  std::uint8_t type = 0;  // RTN_*
  std::uint32_t interface = 0;
  std::optional<core::Address> gateway;  // of either family (RTA_VIA, RFC 8950)
  std::optional<core::Address> preferred_source;
  std::uint32_t mtu = 0;  // the route's own; 0: none
};

// Each gives nothing for a message of another type or family.
std::optional<LinkRow> link_row(const nlmsghdr& message);
std::optional<NeighbourRow> neighbour_row(const nlmsghdr& message);
std::optional<RouteRow> route_row(const nlmsghdr& message);
// Nothing also for clones, which the kernel makes of routes for its own cache.
std::optional<RouteChange> route_change(const nlmsghdr& message);

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "adapters/netlink/outgoing.hpp"

namespace phalanx::adapters {

namespace {

Result<Outgoing> tagged(const Links& links, const LinkRow& device) {
  const VlanDevice& vlan = *device.vlan;
  if (!vlan.is_8021q) {
    return fail(device.name + ", whose tag is not 802.1Q; next hops have no tag, or one of 802.1Q");
  }
  const auto parent = links.find(vlan.parent);
  if (!vlan.parent_is_here || parent == links.end()) {
    return fail(device.name + ", a VLAN on an interface of another network namespace");
  }
  if (parent->second.vlan) {
    return fail(device.name + ", a VLAN within the VLAN " + parent->second.name +
                "; next hops have no tag, or one of 802.1Q");
  }
  if (!parent->second.up) {
    return fail(device.name + " on " + parent->second.name + ", which is down");
  }
  return Outgoing{.interface = parent->first, .source = device.mac, .vlan = vlan.id, .mtu = device.mtu};
}

}  // namespace

Result<Outgoing> outgoing(const Links& links, std::uint32_t interface) {
  const auto found = links.find(interface);
  if (found == links.end()) {
    return fail("an interface that is gone");
  }
  const LinkRow& link = found->second;
  if (!link.up) {
    return fail(link.name + ", which is down");
  }
  if (!link.ethernet) {
    return fail(link.name + ", which is not Ethernet");
  }
  if (link.vlan) {
    return tagged(links, link);
  }
  return Outgoing{.interface = interface, .source = link.mac, .vlan = 0, .mtu = link.mtu};
}

}  // namespace phalanx::adapters

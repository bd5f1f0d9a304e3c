// SPDX-License-Identifier: Apache-2.0
#include "adapters/netlink/messages.hpp"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <bit>
#include <cstring>
#include <string_view>

namespace phalanx::adapters {

namespace {

std::optional<core::Family> family_of(int family) {
  if (family == AF_INET) {
    return core::Family::ipv4;
  }
  return family == AF_INET6 ? std::optional(core::Family::ipv6) : std::nullopt;
}

std::optional<core::Address> address_of(core::Family family, const void* bytes, std::size_t size) {
  core::Address address;
  address.family = family;
  if (size != static_cast<std::size_t>(address.size())) {
    return std::nullopt;
  }
  std::memcpy(address.bytes.data(), bytes, size);
  return address;
}

std::optional<core::Address> address_of(core::Family family, const nlattr* attribute) {
  return address_of(family, mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
}

std::optional<core::MacAddress> mac_of(const nlattr* attribute) {
  core::MacAddress mac{};
  if (mnl_attr_get_payload_len(attribute) != mac.size()) {
    return std::nullopt;
  }
  std::memcpy(mac.data(), mnl_attr_get_payload(attribute), mac.size());
  return mac;
}

// RTA_VIA: a family and an address, for a gateway that is not of the route's family.
std::optional<core::Address> via_of(const nlattr* attribute) {
  const auto* via = static_cast<const rtvia*>(mnl_attr_get_payload(attribute));
  const std::size_t size = mnl_attr_get_payload_len(attribute);
  const auto family = size > sizeof(*via) ? family_of(via->rtvia_family) : std::nullopt;
  return family ? address_of(*family, via->rtvia_addr, size - sizeof(*via)) : std::nullopt;
}

// The fixed header behind nlmsghdr, where the message is long enough for one.
template <typename Header>
const Header* header_of(const nlmsghdr& message) {
  return mnl_nlmsg_get_payload_len(&message) < sizeof(Header)
             ? nullptr
             : static_cast<const Header*>(mnl_nlmsg_get_payload(&message));
}

// mnl_attr_for_each() is C only.
template <typename OnAttribute>
void for_each_between(const void* begin, const void* end, OnAttribute on_attribute) {
  const auto* attribute = static_cast<const nlattr*>(begin);
  while (mnl_attr_ok(attribute, static_cast<int>(static_cast<const char*>(end) -
                                                 reinterpret_cast<const char*>(attribute)))) {
    on_attribute(attribute, static_cast<int>(mnl_attr_get_type(attribute)));
    attribute = mnl_attr_next(attribute);
  }
}

template <typename Header, typename OnAttribute>
void for_each_attribute(const nlmsghdr& message, OnAttribute on_attribute) {
  for_each_between(mnl_nlmsg_get_payload_offset(&message, sizeof(Header)),
                   mnl_nlmsg_get_payload_tail(&message), on_attribute);
}

template <typename OnAttribute>
void for_each_nested(const nlattr* parent, OnAttribute on_attribute) {
  const auto* begin = static_cast<const char*>(mnl_attr_get_payload(parent));
  for_each_between(begin, begin + mnl_attr_get_payload_len(parent), on_attribute);
}

template <typename Number>
std::optional<Number> number_of(const nlattr* attribute) {
  Number number{};
  if (mnl_attr_get_payload_len(attribute) != sizeof number) {
    return std::nullopt;
  }
  std::memcpy(&number, mnl_attr_get_payload(attribute), sizeof number);
  return number;
}

std::string_view text_of(const nlattr* attribute) {
  const auto* text = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return {text, strnlen(text, mnl_attr_get_payload_len(attribute))};
}

// IFLA_LINKINFO: of another kind, nothing. The parent is not in it.
std::optional<VlanDevice> vlan_of(const nlattr* link_info) {
  VlanDevice vlan;
  bool is_vlan = false;
  for_each_nested(link_info, [&](const nlattr* info, int type) {
    if (type == IFLA_INFO_KIND) {
      is_vlan = text_of(info) == "vlan";
    } else if (type == IFLA_INFO_DATA && is_vlan) {  // the kernel puts the kind first
      for_each_nested(info, [&](const nlattr* data, int data_type) {
        if (data_type == IFLA_VLAN_ID) {
          vlan.id = number_of<std::uint16_t>(data).value_or(0);
        } else if (data_type == IFLA_VLAN_PROTOCOL) {
          static_assert(std::endian::native == std::endian::little);
          vlan.is_8021q = number_of<std::uint16_t>(data) == __builtin_bswap16(ETH_P_8021Q);
        }
      });
    }
  });
  return is_vlan ? std::optional(vlan) : std::nullopt;
}

}  // namespace

std::optional<LinkRow> link_row(const nlmsghdr& message) {
  const auto* header = header_of<ifinfomsg>(message);
  const bool link = message.nlmsg_type == RTM_NEWLINK || message.nlmsg_type == RTM_DELLINK;
  if (!link || header == nullptr || header->ifi_family != AF_UNSPEC) {
    return std::nullopt;
  }
  LinkRow row;
  std::uint32_t parent = 0;
  bool parent_is_here = true;
  row.index = static_cast<std::uint32_t>(header->ifi_index);
  row.up = (header->ifi_flags & IFF_UP) != 0 && (header->ifi_flags & IFF_LOWER_UP) != 0;
  for_each_attribute<ifinfomsg>(message, [&](const nlattr* attribute, int type) {
    if (type == IFLA_IFNAME) {
      row.name = mnl_attr_get_str(attribute);
    } else if (type == IFLA_ADDRESS) {
      const auto mac = mac_of(attribute);
      row.ethernet = header->ifi_type == ARPHRD_ETHER && mac.has_value();
      row.mac = mac.value_or(core::MacAddress{});
    } else if (type == IFLA_MTU) {
      row.mtu = number_of<std::uint32_t>(attribute).value_or(0);
    } else if (type == IFLA_LINK) {
      parent = number_of<std::uint32_t>(attribute).value_or(0);
    } else if (type == IFLA_LINK_NETNSID) {
      parent_is_here = false;
    } else if (type == IFLA_LINKINFO) {
      row.vlan = vlan_of(attribute);
    }
  });
  if (row.vlan) {
    row.vlan->parent = parent;
    row.vlan->parent_is_here = parent_is_here;
  }
  return row;
}

std::optional<NeighbourRow> neighbour_row(const nlmsghdr& message) {
  const auto* header = header_of<ndmsg>(message);
  const bool neighbour = message.nlmsg_type == RTM_NEWNEIGH || message.nlmsg_type == RTM_DELNEIGH;
  const auto family = header == nullptr ? std::nullopt : family_of(header->ndm_family);
  if (!neighbour || !family) {
    return std::nullopt;
  }
  NeighbourRow row;
  row.key.interface = static_cast<std::uint32_t>(header->ndm_ifindex);
  row.state = header->ndm_state;
  bool named = false;
  for_each_attribute<ndmsg>(message, [&](const nlattr* attribute, int type) {
    if (type == NDA_DST) {
      const auto address = address_of(*family, attribute);
      named = address.has_value();
      row.key.address = address.value_or(core::Address{});
    } else if (type == NDA_LLADDR) {
      row.mac = mac_of(attribute);
    } else if (type == NDA_FLAGS_EXT && mnl_attr_get_payload_len(attribute) == sizeof(std::uint32_t)) {
      row.managed = (mnl_attr_get_u32(attribute) & NTF_EXT_MANAGED) != 0;
    } else if (type == NDA_PROTOCOL && mnl_attr_get_payload_len(attribute) == sizeof(std::uint8_t)) {
      row.protocol = mnl_attr_get_u8(attribute);
    }
  });
  return named ? std::optional(row) : std::nullopt;
}

std::optional<RouteRow> route_row(const nlmsghdr& message) {
  const auto* header = header_of<rtmsg>(message);
  const auto family = header == nullptr ? std::nullopt : family_of(header->rtm_family);
  if (message.nlmsg_type != RTM_NEWROUTE || !family) {
    return std::nullopt;
  }
  RouteRow row;
  row.type = header->rtm_type;
  for_each_attribute<rtmsg>(message, [&](const nlattr* attribute, int type) {
    if (type == RTA_OIF && mnl_attr_get_payload_len(attribute) == sizeof(std::uint32_t)) {
      row.interface = mnl_attr_get_u32(attribute);
    } else if (type == RTA_GATEWAY) {
      row.gateway = address_of(*family, attribute);
    } else if (type == RTA_VIA) {
      row.gateway = via_of(attribute);
    } else if (type == RTA_PREFSRC) {
      row.preferred_source = address_of(*family, attribute);
    } else if (type == RTA_METRICS) {
      for_each_nested(attribute, [&](const nlattr* metric, int metric_type) {
        if (metric_type == RTAX_MTU) {
          row.mtu = number_of<std::uint32_t>(metric).value_or(0);
        }
      });
    }
  });
  return row;
}

std::optional<RouteChange> route_change(const nlmsghdr& message) {
  const auto* header = header_of<rtmsg>(message);
  const auto family = header == nullptr ? std::nullopt : family_of(header->rtm_family);
  const bool route = message.nlmsg_type == RTM_NEWROUTE || message.nlmsg_type == RTM_DELROUTE;
  if (!route || !family || (header->rtm_flags & RTM_F_CLONED) != 0) {
    return std::nullopt;
  }
  RouteChange change;
  change.destination.address.family = *family;
  for_each_attribute<rtmsg>(message, [&](const nlattr* attribute, int type) {
    if (type == RTA_DST) {
      if (const auto address = address_of(*family, attribute)) {
        change.destination = {*address, header->rtm_dst_len};
      }
    }
  });
  return change;
}

}  // namespace phalanx::adapters

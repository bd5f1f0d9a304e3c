// SPDX-License-Identifier: Apache-2.0
// VLAN devices, as messages of the kernel and as rows: the kernel of the host may have none.
#include <gtest/gtest.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <vector>

#include "adapters/netlink/outgoing.hpp"

namespace phalanx::adapters {
namespace {

constexpr core::MacAddress kMac{2, 0, 0, 0, 0, 5};

// RTM_NEWLINK as the kernel writes it for `ip link add link eth0 name eth0.5 type vlan id 5`.
class LinkMessage {
 public:
  LinkMessage() : message_(mnl_nlmsg_put_header(storage_.data())) {
    message_->nlmsg_type = RTM_NEWLINK;
    auto* header = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message_, sizeof(ifinfomsg)));
    header->ifi_family = AF_UNSPEC;
    header->ifi_type = ARPHRD_ETHER;
    header->ifi_index = 7;
    header->ifi_flags = IFF_UP | IFF_LOWER_UP;
    mnl_attr_put_strz(message_, IFLA_IFNAME, "eth0.5");
    mnl_attr_put(message_, IFLA_ADDRESS, kMac.size(), kMac.data());
    mnl_attr_put_u32(message_, IFLA_MTU, 1496);
    mnl_attr_put_u32(message_, IFLA_LINK, 3);
  }

  LinkMessage& vlan(std::uint16_t protocol) {
    nlattr* info = mnl_attr_nest_start(message_, IFLA_LINKINFO);
    mnl_attr_put_str(message_, IFLA_INFO_KIND, "vlan");
    nlattr* data = mnl_attr_nest_start(message_, IFLA_INFO_DATA);
    mnl_attr_put_u16(message_, IFLA_VLAN_PROTOCOL, __builtin_bswap16(protocol));
    mnl_attr_put_u16(message_, IFLA_VLAN_ID, 5);
    mnl_attr_nest_end(message_, data);
    mnl_attr_nest_end(message_, info);
    return *this;
  }
  LinkMessage& other_kind() {
    nlattr* info = mnl_attr_nest_start(message_, IFLA_LINKINFO);
    mnl_attr_put_str(message_, IFLA_INFO_KIND, "macvlan");
    nlattr* data = mnl_attr_nest_start(message_, IFLA_INFO_DATA);
    mnl_attr_put_u16(message_, IFLA_VLAN_ID, 5);
    mnl_attr_nest_end(message_, data);
    mnl_attr_nest_end(message_, info);
    return *this;
  }
  LinkMessage& parent_elsewhere() {
    mnl_attr_put_u32(message_, IFLA_LINK_NETNSID, 0);
    return *this;
  }

  LinkRow row() const { return link_row(*message_).value(); }

 private:
  alignas(nlmsghdr) std::array<char, 512> storage_{};
  nlmsghdr* message_;
};

TEST(Outgoing, a_vlan_device_is_read_from_the_kernels_message) {
  const LinkRow row = LinkMessage().vlan(ETH_P_8021Q).row();
  EXPECT_EQ(row.mtu, 1496u);
  EXPECT_EQ(row.vlan, (VlanDevice{.id = 5, .is_8021q = true, .parent = 3, .parent_is_here = true}));
  EXPECT_FALSE(LinkMessage().vlan(ETH_P_8021AD).row().vlan->is_8021q);
  EXPECT_FALSE(LinkMessage().vlan(ETH_P_8021Q).parent_elsewhere().row().vlan->parent_is_here);
}

TEST(Outgoing, other_devices_on_an_interface_are_no_vlan) {
  EXPECT_FALSE(LinkMessage().row().vlan);
  EXPECT_FALSE(LinkMessage().other_kind().row().vlan);
}

// eth0 (3) with eth0.5 (7) on it.
Links links() {
  LinkRow eth0{.index = 3,
               .name = "eth0",
               .mac = {2, 0, 0, 0, 0, 3},
               .ethernet = true,
               .up = true,
               .mtu = 1500,
               .vlan = {}};
  return {{3, eth0}, {7, LinkMessage().vlan(ETH_P_8021Q).row()}};
}

std::string refusal(const Links& links) {
  const auto found = outgoing(links, 7);
  return found ? "accepted" : found.error().message;
}

TEST(Outgoing, frames_leave_by_the_parent_with_the_devices_tag_address_and_mtu) {
  const auto found = outgoing(links(), 7);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->interface, 3u);
  EXPECT_EQ(found->vlan, 5);
  EXPECT_EQ(found->source, kMac);
  EXPECT_EQ(found->mtu, 1496u);
}

TEST(Outgoing, a_plain_interface_is_its_own) {
  const auto found = outgoing(links(), 3);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->interface, 3u);
  EXPECT_EQ(found->vlan, 0);
  EXPECT_EQ(found->mtu, 1500u);
}

TEST(Outgoing, what_the_path_cannot_write_is_refused_with_its_reason) {
  Links changed = links();
  changed.at(7).vlan->is_8021q = false;
  EXPECT_EQ(refusal(changed), "eth0.5, whose tag is not 802.1Q; next hops have no tag, or one of 802.1Q");
  changed = links();
  changed.at(3).vlan = VlanDevice{.id = 9, .is_8021q = true, .parent = 2, .parent_is_here = true};
  EXPECT_EQ(refusal(changed), "eth0.5, a VLAN within the VLAN eth0; next hops have no tag, or one of 802.1Q");
  changed = links();
  changed.at(7).vlan->parent_is_here = false;
  EXPECT_EQ(refusal(changed), "eth0.5, a VLAN on an interface of another network namespace");
  changed = links();
  changed.erase(3);
  EXPECT_EQ(refusal(changed), "eth0.5, a VLAN on an interface of another network namespace");
  changed = links();
  changed.at(3).up = false;
  EXPECT_EQ(refusal(changed), "eth0.5 on eth0, which is down");
  changed = links();
  changed.at(7).up = false;
  EXPECT_EQ(refusal(changed), "eth0.5, which is down");
  changed.erase(7);
  EXPECT_EQ(refusal(changed), "an interface that is gone");
}

}  // namespace
}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <optional>

#include "adapters/bpf/balancer_maps.hpp"
#include "adapters/bpf/xdp_link.hpp"
#include "pin_fixture.hpp"

namespace phalanx::adapters {
namespace {

using core::XdpMode;
using ::testing::AllOf;
using testing::attached_to;
using ::testing::HasSubstr;

class XdpLinkTest : public testing::PinTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(PinTest::SetUp());
    directory_.emplace(locked());
    auto maps = BalancerMaps::create(*directory_, testing::small_limits());
    ASSERT_TRUE(maps) << maps.error().message;
    maps_.emplace(std::move(*maps));
  }

  const PinDirectory& directory() const { return *directory_; }
  int program() const { return maps_->program(); }

  XdpLink attach(XdpMode mode, const std::string& interface = "phx0") {
    auto link = XdpLink::attach(directory(), program(), interface, mode);
    EXPECT_TRUE(link) << link.error().message;
    return std::move(*link);
  }

  std::string refusal(XdpMode mode, const std::string& interface = "phx0") {
    const auto link = XdpLink::attach(directory(), program(), interface, mode);
    return link ? "attached" : link.error().message;
  }

  XdpLink adopted(const std::string& interface = "phx0") {
    auto link = XdpLink::adopt(directory(), interface);
    EXPECT_TRUE(link && *link);
    return std::move(**link);
  }

  // veth refuses native mode while the peer may send more than fits into a page.
  void make_native_impossible() { testing::run("ip link set phx1 mtu 9000"); }

  void attach_foreign(std::uint32_t flags) {
    ASSERT_EQ(::bpf_xdp_attach(static_cast<int>(::if_nametoindex("phx0")), program(), flags, nullptr), 0);
  }

 private:
  std::optional<PinDirectory> directory_;
  std::optional<BalancerMaps> maps_;
};

TEST_F(XdpLinkTest, native_where_the_driver_can) {
  const XdpLink link = attach(XdpMode::automatic);
  EXPECT_NE(attached_to("phx0").native, 0u);
  EXPECT_EQ(link.ifindex(), ::if_nametoindex("phx0"));
  EXPECT_EQ(link.describe().mode, "native");
  EXPECT_EQ(link.describe().attach, "link");
  EXPECT_EQ(link.describe().reason, "");
}

TEST_F(XdpLinkTest, generic_where_it_can_not_and_says_why) {
  make_native_impossible();
  const XdpLink link = attach(XdpMode::automatic);
  EXPECT_NE(attached_to("phx0").generic, 0u);
  EXPECT_EQ(link.describe().mode, "generic");
  EXPECT_THAT(link.describe().reason, HasSubstr("MTU"));
}

TEST_F(XdpLinkTest, generic_when_asked_for) {
  EXPECT_EQ(attach(XdpMode::generic).describe().reason, "");
  EXPECT_NE(attached_to("phx0").generic, 0u);
}

TEST_F(XdpLinkTest, native_or_nothing_when_asked_for) {
  make_native_impossible();
  EXPECT_THAT(refusal(XdpMode::native), AllOf(HasSubstr("MTU"), HasSubstr("\"generic\"")));
  EXPECT_FALSE(directory().has("link-phx0"));
  EXPECT_EQ(attached_to("phx0").generic, 0u);
}

TEST_F(XdpLinkTest, names_the_interfaces_that_exist) {
  EXPECT_THAT(refusal(XdpMode::automatic, "eth7"),
              AllOf(HasSubstr("no such interface"), HasSubstr("phx0"), HasSubstr("phx1")));
}

TEST_F(XdpLinkTest, names_a_program_attached_by_netlink_and_how_to_detach_it) {
  attach_foreign(XDP_FLAGS_DRV_MODE);
  EXPECT_THAT(refusal(XdpMode::automatic),
              AllOf(HasSubstr("\"phalanx_xdp\""), HasSubstr("ip link set dev phx0 xdp off")));
}

TEST_F(XdpLinkTest, the_way_to_detach_a_generic_program_works) {
  attach_foreign(XDP_FLAGS_SKB_MODE);
  EXPECT_THAT(refusal(XdpMode::automatic), HasSubstr("ip link set dev phx0 xdpgeneric off"));
  testing::run("ip link set dev phx0 xdpgeneric off");
  EXPECT_EQ(attach(XdpMode::automatic).describe().mode, "native");
}

TEST_F(XdpLinkTest, names_the_link_that_holds_another_program) {
  const PinDirectory other = locked("other");
  const auto link = XdpLink::attach(other, program(), "phx0", XdpMode::native);
  ASSERT_TRUE(link);
  EXPECT_THAT(refusal(XdpMode::automatic), AllOf(HasSubstr("held by BPF link"), HasSubstr("--pin-dir")));
  EXPECT_NE(attached_to("phx0").native, 0u) << "the other one stays";
}

TEST_F(XdpLinkTest, outlives_the_process_and_is_adopted) {
  attach(XdpMode::native);
  ASSERT_NE(attached_to("phx0").native, 0u);
  EXPECT_TRUE(adopted().attached());
  EXPECT_EQ(adopted().describe().mode, "native");
  const auto none = XdpLink::adopt(directory(), "phx1");
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST_F(XdpLinkTest, adopting_swings_to_the_new_program) {
  attach(XdpMode::native);
  const std::uint32_t former = attached_to("phx0").native;
  const auto other = BalancerMaps::create(locked("other"), testing::small_limits());
  ASSERT_TRUE(other);
  const auto link = XdpLink::adopt_or_attach(directory(), other->program(), "phx0", XdpMode::automatic);
  ASSERT_TRUE(link) << link.error().message;
  EXPECT_NE(attached_to("phx0").native, 0u);
  EXPECT_NE(attached_to("phx0").native, former);
}

TEST_F(XdpLinkTest, knows_that_its_interface_is_gone_or_was_made_anew) {
  XdpLink link = attach(XdpMode::native);
  testing::run("ip link del phx0");
  ASSERT_TRUE(link.refresh());
  EXPECT_FALSE(link.attached());
  EXPECT_THAT(link.describe().reason, HasSubstr("no longer attached"));
  testing::run("ip link add phx0 type veth peer name phx1");
  EXPECT_FALSE(adopted().attached());
  const auto renewed = XdpLink::adopt_or_attach(directory(), program(), "phx0", XdpMode::native);
  ASSERT_TRUE(renewed) << renewed.error().message;
  EXPECT_NE(attached_to("phx0").native, 0u);
}

TEST_F(XdpLinkTest, changes_from_native_to_generic_and_back) {
  attach(XdpMode::native);
  ASSERT_TRUE(XdpLink::adopt_or_attach(directory(), program(), "phx0", XdpMode::generic));
  EXPECT_NE(attached_to("phx0").generic, 0u);
  ASSERT_TRUE(XdpLink::adopt_or_attach(directory(), program(), "phx0", XdpMode::native));
  EXPECT_NE(attached_to("phx0").native, 0u);
}

TEST_F(XdpLinkTest, a_mode_that_is_refused_leaves_the_former_one) {
  make_native_impossible();
  attach(XdpMode::generic);
  EXPECT_FALSE(XdpLink::adopt_or_attach(directory(), program(), "phx0", XdpMode::native));
  EXPECT_NE(attached_to("phx0").generic, 0u);
  EXPECT_TRUE(adopted().attached());
}

TEST_F(XdpLinkTest, detaches_at_once) {
  XdpLink link = attach(XdpMode::native);
  ASSERT_TRUE(link.detach());
  EXPECT_EQ(attached_to("phx0").native, 0u);
  EXPECT_FALSE(directory().has("link-phx0"));
}

TEST_F(XdpLinkTest, taking_the_directory_down_detaches_at_once) {
  const XdpLink native = attach(XdpMode::native, "phx0");
  const XdpLink generic = attach(XdpMode::generic, "phx1");
  ASSERT_TRUE(directory().remove_everything());
  EXPECT_EQ(attached_to("phx0").native, 0u);
  EXPECT_EQ(attached_to("phx1").generic, 0u);
  EXPECT_FALSE(PinDirectory::exists(path("node")));
}

TEST_F(XdpLinkTest, takes_interfaces_with_dots) {
  testing::run("ip link add phx0.100 type veth peer name phx2");
  EXPECT_TRUE(attach(XdpMode::automatic, "phx0.100").attached());
  EXPECT_TRUE(adopted("phx0.100").attached());
}

TEST_F(XdpLinkTest, says_which_privilege_is_missing) {
  const testing::Child nobody([&] {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) {
      return std::string("no such user");
    }
    return refusal(XdpMode::automatic);
  });
  EXPECT_THAT(nobody.result(), HasSubstr("CAP_BPF and CAP_NET_ADMIN"));
}

}  // namespace
}  // namespace phalanx::adapters

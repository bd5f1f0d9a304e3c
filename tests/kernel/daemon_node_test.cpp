// SPDX-License-Identifier: Apache-2.0
// A node whose configuration asks for another program: links are swung to it, all or none.
#include <gmock/gmock.h>

#include "adapters/bpf/pinned_object.hpp"
#include "adapters/loop/event_loop.hpp"
#include "daemon/node.hpp"
#include "fakes/world.hpp"
#include "pin_fixture.hpp"

namespace phalanx {
namespace {

using daemon::Node;
using fakes::backend;
using fakes::service;
using ::testing::HasSubstr;

class NodeTest : public testing::PinTest {
 protected:
  // Its backends have no route here, so that nothing is waited for.
  static core::Config with_mode(core::Forward forward) {
    core::Config config =
        fakes::config({service("web", 10, {backend("b1", 11), backend("b2", 12)})}, testing::small_limits());
    config.services[0].forward = forward;
    config.services[0].check_name.reset();
    config.services[0].check.reset();
    config.node.interfaces = {"phx0"};
    return config;
  }

  std::unique_ptr<Node> start(const core::Config& config) {
    loop_ = std::move(adapters::EventLoop::open().value());
    auto node = Node::start(*loop_, path("node"), config, [](const core::Announce&) {});
    EXPECT_TRUE(node) << node.error().message;
    return node ? std::move(*node) : nullptr;
  }

  static std::uint32_t program_on(const std::string& interface) {
    const testing::Attached attached = testing::attached_to(interface);
    return attached.native != 0 ? attached.native : attached.generic;
  }

 private:
  std::unique_ptr<adapters::EventLoop> loop_;
};

TEST_F(NodeTest, the_first_nat_service_brings_a_program_that_looks_for_ways_back) {
  const auto node = start(with_mode(core::Forward::ipip));
  ASSERT_NE(node, nullptr);
  EXPECT_FALSE(node->maps().settings().nat);
  const std::uint32_t plain = program_on("phx0");
  const auto applied = node->apply(with_mode(core::Forward::nat));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_TRUE(node->maps().settings().nat);
  EXPECT_NE(program_on("phx0"), plain);
  EXPECT_NE(program_on("phx0"), 0u);
  EXPECT_EQ(node->maps().nat_sources()->size(), 2u);
}

TEST_F(NodeTest, a_reload_without_other_settings_leaves_the_program) {
  const auto node = start(with_mode(core::Forward::ipip));
  ASSERT_NE(node, nullptr);
  const std::uint32_t plain = program_on("phx0");
  ASSERT_TRUE(node->apply(with_mode(core::Forward::gue)));
  EXPECT_EQ(program_on("phx0"), plain);
}

TEST_F(NodeTest, a_refused_reload_leaves_the_former_program_on_every_interface) {
  const auto node = start(with_mode(core::Forward::ipip));
  ASSERT_NE(node, nullptr);
  const std::uint32_t plain = program_on("phx0");
  core::Config next = with_mode(core::Forward::nat);
  next.node.interfaces = {"phx0", "phx1", "absent0"};
  const auto refused = node->apply(next);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("absent0"));
  EXPECT_FALSE(node->maps().settings().nat);
  EXPECT_EQ(program_on("phx0"), plain);
  EXPECT_EQ(program_on("phx1"), 0u);
  EXPECT_TRUE(node->maps().nat_sources()->empty());
  EXPECT_EQ(node->engine().applied().generation, 1u);
  ASSERT_TRUE(node->apply(with_mode(core::Forward::nat))) << "and the next one holds";
  EXPECT_NE(program_on("phx0"), plain);
}

TEST_F(NodeTest, a_swap_that_one_interface_refuses_leaves_the_former_program_on_the_others) {
  testing::run("ip link add phx2 type veth peer name phx3");
  core::Config config = with_mode(core::Forward::ipip);
  config.node.interfaces = {"phx0", "phx2"};
  const auto node = start(config);
  ASSERT_NE(node, nullptr);
  const std::uint32_t plain = program_on("phx0");
  testing::run("ip link delete phx2");
  config.services[0].forward = core::Forward::nat;
  const auto refused = node->apply(config);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("phx2"));
  EXPECT_THAT(refused.error().message, HasSubstr("every interface keeps the program"));
  EXPECT_EQ(program_on("phx0"), plain);
  EXPECT_FALSE(node->maps().settings().nat);
}

TEST_F(NodeTest, the_next_start_swaps_the_program_on_every_interface) {
  core::Config config = with_mode(core::Forward::ipip);
  config.node.interfaces = {"phx0", "phx1"};
  std::uint32_t former = 0;
  {
    const auto node = start(config);
    ASSERT_NE(node, nullptr);
    former = program_on("phx0");
    EXPECT_EQ(program_on("phx1"), former);
  }
  const auto node = start(config);
  ASSERT_NE(node, nullptr);
  EXPECT_NE(program_on("phx0"), former);
  EXPECT_EQ(program_on("phx1"), program_on("phx0"));
}

TEST_F(NodeTest, a_start_that_can_not_attach_everywhere_leaves_the_former_program_where_it_was) {
  core::Config config = with_mode(core::Forward::ipip);
  config.node.interfaces = {"phx0", "phx1"};
  std::uint32_t former = 0;
  {
    const auto node = start(config);
    ASSERT_NE(node, nullptr);
    former = program_on("phx0");
  }
  testing::run("mv " + path("node/link-phx1") + " " + path("aside"));
  const auto loop = std::move(adapters::EventLoop::open().value());
  const auto refused = Node::start(*loop, path("node"), config, [](const core::Announce&) {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("phx1"));
  EXPECT_EQ(program_on("phx0"), former);
  EXPECT_EQ(program_on("phx1"), former);
}

TEST_F(NodeTest, connections_of_the_last_nat_service_keep_the_program_and_the_next_start_too) {
  core::Config tunnelled = with_mode(core::Forward::ipip);
  {
    const auto node = start(with_mode(core::Forward::nat));
    ASSERT_NE(node, nullptr);
    ASSERT_TRUE(node->maps().settings().nat);
    ASSERT_TRUE(node->apply(tunnelled));
    EXPECT_TRUE(node->maps().settings().nat) << "its entries linger";
  }
  const auto node = start(tunnelled);
  ASSERT_NE(node, nullptr);
  EXPECT_TRUE(node->adopted());
  EXPECT_TRUE(node->maps().settings().nat);
}

}  // namespace
}  // namespace phalanx

// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include "adapters/bpf/balancer_maps.hpp"
#include "agent/agent.hpp"
#include "agent/agent_report.hpp"
#include "packet.hpp"
#include "pin_fixture.hpp"
#include "program_run.hpp"

namespace phalanx::agent {
namespace {

using testing::attached_to;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

core::Address address(const char* text) {
  return *core::parse_address(text);
}

core::Prefix prefix(const char* text) {
  return *core::parse_prefix(text);
}

class AgentTest : public testing::PinTest {
 protected:
  std::string pins() const { return path("agent"); }

  adapters::AgentConfig config() const {
    adapters::AgentConfig config;
    config.interface = "phx0";
    config.vips = {address("203.0.113.10"), address("2001:db8::10")};
    config.nodes = {prefix("10.0.0.0/24"), prefix("fd00::/64")};
    config.peers = {prefix("10.0.1.0/24")};
    return config;
  }

  void bring_up(const adapters::AgentConfig& config) {
    const auto attached = up(pins(), config);
    ASSERT_TRUE(attached) << attached.error().message;
  }

  Status current() const {
    const auto status = agent::status(pins());
    EXPECT_TRUE(status) << status.error().message;
    return *status;
  }
};

TEST_F(AgentTest, up_attaches_and_status_shows_what_is_in_force) {
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  EXPECT_NE(attached_to("phx0").native, 0u);
  EXPECT_THAT(current().vips, ElementsAre(address("203.0.113.10"), address("2001:db8::10")));
  EXPECT_THAT(current().nodes, ElementsAre(prefix("10.0.0.0/24"), prefix("fd00::/64")));
  EXPECT_THAT(current().peers, ElementsAre(prefix("10.0.1.0/24")));
  ASSERT_EQ(current().interfaces.size(), 1u);
  EXPECT_EQ(current().interfaces.front().mode, "native");
  EXPECT_EQ(current().counters.size(), PHX_AGENT_COUNTER_COUNT);
  EXPECT_THAT(to_text(current()), HasSubstr("decapsulated_4in4"));
  EXPECT_THAT(to_json_text(current()), HasSubstr("\"203.0.113.10\""));
}

TEST_F(AgentTest, a_namespace_that_there_is_not_is_named_and_nothing_stays) {
  adapters::AgentConfig with_namespace = config();
  with_namespace.namespaces = {"/proc/self/ns/net", "no-such-namespace"};
  const auto attached = up(pins(), with_namespace);
  ASSERT_FALSE(attached);
  EXPECT_THAT(attached.error().message, HasSubstr("/run/netns/no-such-namespace"));
  EXPECT_FALSE(agent::status(pins()));
  with_namespace.namespaces.pop_back();
  ASSERT_NO_FATAL_FAILURE(bring_up(with_namespace));
}

TEST_F(AgentTest, up_again_applies_the_changed_file) {
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  adapters::AgentConfig changed = config();
  changed.interface = "phx1";
  changed.vips = {address("203.0.113.11"), address("2001:db8::10")};
  changed.nodes = {prefix("10.0.0.0/25")};
  changed.peers = {prefix("10.0.1.11/32"), prefix("fd00:1::/64")};
  ASSERT_NO_FATAL_FAILURE(bring_up(changed));
  EXPECT_THAT(current().vips, ElementsAre(address("203.0.113.11"), address("2001:db8::10")));
  EXPECT_THAT(current().nodes, ElementsAre(prefix("10.0.0.0/25")));
  EXPECT_THAT(current().peers, ElementsAre(prefix("10.0.1.11/32"), prefix("fd00:1::/64")));
  EXPECT_EQ(attached_to("phx0").native, 0u);
  EXPECT_NE(attached_to("phx1").native, 0u);
}

TEST_F(AgentTest, up_again_moves_gue_to_the_port_of_the_changed_file) {
  const phalanx::test::Packet inner =
      phalanx::test::tcp4({"198.51.100.7", 40000}, {"203.0.113.10", 80}).payload(0);
  const auto gue_to = [&](std::uint16_t port) {
    return phalanx::test::gue_tunnel("10.0.0.5", "10.0.1.11", inner, {.port = port}).frame();
  };
  const auto is_taken = [&](std::uint16_t port) {
    const adapters::Descriptor program(::bpf_obj_get((pins() + "/program").c_str()));
    return phalanx::test::run_program(program.get(), gue_to(port)).frame == inner.frame();
  };
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  EXPECT_TRUE(is_taken(6080));
  adapters::AgentConfig changed = config();
  changed.gue_port = 5555;
  ASSERT_NO_FATAL_FAILURE(bring_up(changed));
  EXPECT_TRUE(is_taken(5555));
  EXPECT_FALSE(is_taken(6080));
}

TEST_F(AgentTest, a_change_that_fails_leaves_what_was_in_force) {
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  adapters::AgentConfig changed = config();
  changed.interface = "absent";
  changed.vips = {address("203.0.113.11")};
  changed.nodes.push_back(prefix("10.9.0.0/16"));
  const auto attached = up(pins(), changed);
  ASSERT_FALSE(attached);
  EXPECT_THAT(attached.error().message, HasSubstr("no such interface"));
  EXPECT_THAT(current().vips, ElementsAre(address("203.0.113.10"), address("2001:db8::10")));
  EXPECT_EQ(current().nodes.size(), 2u);
  EXPECT_NE(attached_to("phx0").native, 0u);
}

TEST_F(AgentTest, a_full_map_leaves_what_was_in_force) {
  adapters::AgentConfig full = config();
  full.vips.clear();
  for (int i = 0; i < 1024; ++i) {
    full.vips.push_back(address(("10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256)).c_str()));
  }
  ASSERT_NO_FATAL_FAILURE(bring_up(full));
  const auto attached = up(pins(), config());
  ASSERT_FALSE(attached);
  EXPECT_THAT(attached.error().message, HasSubstr("room for 1024"));
  EXPECT_EQ(current().vips, full.vips);
  EXPECT_EQ(current().nodes.size(), 2u);
}

TEST_F(AgentTest, a_first_start_that_fails_leaves_nothing) {
  adapters::AgentConfig wrong = config();
  wrong.interface = "absent";
  ASSERT_FALSE(up(pins(), wrong));
  EXPECT_FALSE(adapters::PinDirectory::exists(pins()));
}

TEST_F(AgentTest, a_start_cut_short_is_cleaned_by_the_next) {
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  ASSERT_EQ(::unlink((pins() + "/program").c_str()), 0);
  EXPECT_THAT(agent::status(pins()).error().message, HasSubstr("nothing is loaded"));
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  EXPECT_NE(attached_to("phx0").native, 0u);
}

TEST_F(AgentTest, down_detaches_and_is_done_when_there_is_nothing) {
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  ASSERT_TRUE(down(pins()));
  EXPECT_EQ(attached_to("phx0").native, 0u);
  EXPECT_FALSE(adapters::PinDirectory::exists(pins()));
  EXPECT_TRUE(down(pins()));
  const auto nothing = agent::status(pins());
  ASSERT_FALSE(nothing);
  EXPECT_THAT(nothing.error().message, HasSubstr("phalanx-agent up"));
}

TEST_F(AgentTest, balancer_and_agent_leave_each_others_pins_alone) {
  {
    const adapters::PinDirectory directory = locked("balancer");
    auto maps = adapters::BalancerMaps::create(directory, testing::small_limits());
    ASSERT_TRUE(maps);
    ASSERT_TRUE(maps->commit(testing::small_state()));
  }
  EXPECT_THAT(up(path("balancer"), config()).error().message, HasSubstr("is the balancer's"));
  EXPECT_THAT(down(path("balancer")).error().message, HasSubstr("is the balancer's"));
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  const adapters::PinDirectory directory = locked("agent");
  EXPECT_THAT(adapters::BalancerMaps::create(directory, testing::small_limits()).error().message,
              HasSubstr("is phalanx-agent's"));
}

}  // namespace
}  // namespace phalanx::agent

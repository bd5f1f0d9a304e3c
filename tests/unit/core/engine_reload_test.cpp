// SPDX-License-Identifier: Apache-2.0
// Reloads: all or nothing, and no packet lost on the way. Mirrors userspace/core/engine_reload.cpp.
#include <gtest/gtest.h>

#include "core/engine_world.hpp"

namespace phalanx {
namespace {

using namespace engine_world;
using namespace std::chrono_literals;
using core::Verdict;

TEST(EngineReload, a_reload_that_adds_a_backend_swings_the_table_by_one_store) {
  World world = serving(four_backends());
  world.run(200ms);
  core::Config next = four_backends();
  next.services[0].backends.push_back(backend("b5", 15));
  world.plane.stores = {};
  ASSERT_TRUE(world.apply(next));
  EXPECT_EQ(world.plane.stores.region, 1);
  EXPECT_EQ(world.engine.applied().generation, 2u);
  world.resolve_all_next_hops();
  EXPECT_TRUE(is_up(world, 15));
}

TEST(EngineReload, a_changed_check_gets_the_next_hop_that_is_known_already) {
  World world = serving(four_backends());
  core::Config next = four_backends();
  next.services[0].check->path = "/new";
  ASSERT_TRUE(world.apply(next));
  world.finish_idle_work();
  EXPECT_TRUE(is_up(world, 11));
}

TEST(EngineReload, a_changed_tunnel_source_reaches_every_entry) {
  World world = serving(four_backends());
  core::Config next = four_backends();
  next.node.tunnel_source_v4 = core::Prefix{fakes::ipv4(10, 9, 9, 9), 32};
  ASSERT_TRUE(world.apply(next));
  world.finish_idle_work();
  const phx_backend row = world.plane.backend(entry_of(world, 11));
  EXPECT_EQ(row.next_hop[(row.state & PHX_STATE_NEXT_HOP) != 0 ? 1 : 0].tunnel_source[1], 9);
}

// The live row's source and its bits, after each store that touches either.
TEST(EngineReload, a_changed_tunnel_source_prefix_never_fills_bits_that_a_source_has_set) {
  World world = serving(four_backends());
  const core::EntryIndex entry = entry_of(world, 11);
  const auto filled = [&] {
    const phx_backend row = world.plane.backend(entry);
    const phx_next_hop& hop = row.next_hop[(row.state & PHX_STATE_NEXT_HOP) != 0 ? 1 : 0];
    std::uint32_t source = 0;
    for (int i = 0; i < 4; ++i) {
      source = source << 8 | hop.tunnel_source[i];
    }
    return source & ((1u << row.source_bits) - 1);
  };
  for (const core::Prefix next : {core::Prefix{fakes::ipv4(10, 9, 0, 0), 24},
                                  {fakes::ipv4(10, 8, 0, 0), 16},
                                  {fakes::ipv4(10, 9, 9, 9), 32},
                                  {fakes::ipv4(10, 9, 9, 0), 28}}) {
    core::Config config = four_backends();
    config.node.tunnel_source_v4 = next;
    ASSERT_TRUE(world.apply(config));
    while (world.engine.has_idle_work()) {
      for (const core::Action& action : world.engine.step(core::Idle{}, world.now)) {
        fakes::carry_out(action, world.engine, world.plane);
        ASSERT_EQ(filled(), 0u) << to_string(next);
      }
    }
    EXPECT_EQ(world.plane.backend(entry).source_bits, next.host_bits());
  }
}

core::Config four_backends_in(core::Forward forward, std::uint16_t gue_port = 6080) {
  core::Config config = four_backends();
  config.services[0].forward = forward;
  config.services[0].gue_port = gue_port;
  return config;
}

// Whether every slot of the service, in the region that the path looks at, has somebody who takes its
// packets.
testing::AssertionResult every_slot_is_served(const World& world) {
  const std::uint64_t region = world.plane.service(world.engine.services().begin()->first).region;
  for (std::uint32_t slot = 0; slot <= phx_region_mask(region); ++slot) {
    const phx_slot row = world.plane.slot(phx_region_offset(region) + slot);
    const phx_backend primary = world.plane.backend(row.primary);
    const int live = (primary.state & PHX_STATE_NEXT_HOP) != 0 ? 1 : 0;
    if ((primary.state & PHX_STATE_UP) == 0 || primary.next_hop[live].interface == 0) {
      return testing::AssertionFailure() << "slot " << slot;
    }
  }
  return testing::AssertionSuccess();
}

TEST(EngineReload, a_reload_of_mode_gue_port_or_check_is_served_from_its_first_packet_on) {
  World world = serving(four_backends());
  world.run(200ms);
  core::Config other_check = four_backends_in(core::Forward::nat);
  other_check.services[0].check->path = "/new";
  for (const core::Config& next :
       {four_backends_in(core::Forward::gue), four_backends_in(core::Forward::gue, 6081),
        four_backends_in(core::Forward::nat), other_check, four_backends()}) {
    ASSERT_TRUE(world.apply(next));
    EXPECT_TRUE(every_slot_is_served(world)) << "before anything else happens";
    world.finish_idle_work();
    EXPECT_TRUE(every_slot_is_served(world));
  }
}

TEST(EngineReload, another_tunnel_to_the_same_sockets_is_no_change_for_connections) {
  World world = serving(four_backends());
  world.run(200ms);
  ASSERT_TRUE(world.apply(four_backends_in(core::Forward::gue)));
  EXPECT_TRUE(world.engine.services().begin()->second.transitions.empty());
  ASSERT_TRUE(world.apply(four_backends_in(core::Forward::nat)));
  EXPECT_EQ(world.engine.services().begin()->second.transitions.size(), PHX_MIN_SLOTS)
      << "in nat they end at other sockets";
}

TEST(EngineReload, a_backend_that_is_down_stays_down_when_its_mode_changes) {
  World world = serving(four_backends());
  world.verdicts[11] = Verdict::fail;
  world.run(500ms);
  ASSERT_FALSE(is_up(world, 11));
  ASSERT_TRUE(world.apply(four_backends_in(core::Forward::gue)));
  world.finish_idle_work();
  EXPECT_FALSE(is_up(world, 11));
  EXPECT_EQ(slots_with_primary(world, entry_of(world, 11)), 0u);
}

TEST(EngineReload, a_backend_disabled_in_its_service_is_not_up_after_its_mode_changes) {
  World world = serving(config({service("a", 10, {backend("b1", 11), backend("b2", 12)}),
                                service("b", 20, {backend("b1", 11), backend("b2", 12)})}));
  world.step(core::OverrideRequested{"a", {fakes::ipv4(10, 0, 1, 11), 80}, core::Word::disable});
  world.finish_idle_work();
  core::Config next = world.engine.applied().config;
  next.services[0].forward = core::Forward::gue;
  ASSERT_TRUE(world.apply(next));
  EXPECT_FALSE(is_up(world, 11, "a"));
  EXPECT_TRUE(is_up(world, 11, "b"));
}

TEST(EngineReload, health_that_changed_while_tables_were_built_is_in_the_new_table) {
  World world = serving(four_backends());
  world.run(200ms);
  core::Config next = four_backends();
  next.services[0].backends.push_back(backend("b5", 15));
  auto proposal = world.engine.propose(next, world.engine.applied().overrides, world.now.steady);
  ASSERT_TRUE(proposal);
  world.verdicts[11] = Verdict::fail;
  world.run(300ms);
  for (core::TableBuild& build : proposal->builds) {
    build.run();
  }
  const core::Engine successor = world.engine.successor(*proposal, world.now);
  const auto& table = *successor.services().begin()->second.table;
  for (const core::SlotOwners& owners : table.owners()) {
    ASSERT_NE(successor.services().begin()->second.members.at(owners.primary).name, "b1");
  }
}

TEST(EngineReload, an_operators_word_that_came_while_tables_were_built_counts) {
  World world = serving(four_backends());
  core::Config next = four_backends();
  next.services[0].backends.push_back(backend("b5", 15));
  auto proposal = world.engine.propose(next, world.engine.applied().overrides, world.now.steady);
  ASSERT_TRUE(proposal);
  world.step(core::OverrideRequested{"web", {fakes::ipv4(10, 0, 1, 11), 80}, core::Word::disable});
  for (core::TableBuild& build : proposal->builds) {
    build.run();
  }
  const core::Engine successor = world.engine.successor(*proposal, world.now);
  EXPECT_EQ(successor.applied().overrides.size(), 1u);
  EXPECT_TRUE(successor.services().begin()->second.members.at(0).override.disabled);
}

TEST(EngineReload, a_changed_limit_is_refused_by_its_key) {
  World world = serving(four_backends());
  core::Config next = four_backends();
  next.node.limits.backends = 8192;
  const auto refused = world.apply(next);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("node.limits.backends"), std::string::npos);
  EXPECT_EQ(world.engine.applied().generation, 1u);
}

TEST(EngineReload, too_many_slots_are_refused_by_their_key_and_change_nothing) {
  World world = serving(config({service("web", 10, {backend("b1", 11)})}, {.slots = PHX_MIN_SLOTS}));
  core::Config next = world.engine.applied().config;
  next.services.push_back(service("more", 20, {backend("b1", 11)}));
  const auto slots = world.plane.slots;
  const auto refused = world.apply(next);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("node.limits.slots"), std::string::npos);
  EXPECT_EQ(world.plane.committed->generation, 1u);
}

}  // namespace
}  // namespace phalanx

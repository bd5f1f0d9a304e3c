// SPDX-License-Identifier: Apache-2.0
#include "daemon/flow_sweeper.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "fakes/world.hpp"
#include "lib/flow_table.h"

namespace phalanx {
namespace {

using fakes::backend;
using fakes::config;
using fakes::service;
using fakes::World;

constexpr std::uint32_t kNow_s = 10'000;

// Every slot counts as tracked, so that any flow may be remembered.
World serving(core::Track track = core::Track::all) {
  core::Service web = service("web", 10, {backend("b1", 11), backend("b2", 12), backend("b3", 13)});
  web.protocols.push_back(core::Protocol::udp);
  web.track = track;
  World world;
  EXPECT_TRUE(world.apply(config({web})));
  world.resolve_all_next_hops();
  return world;
}

const core::ServiceInForce& web(const World& world) {
  return world.engine.services().begin()->second;
}

constexpr std::uint32_t kWeb = 0;  // the service's index

// The flow of this hash.
ports::RememberedFlow flow(std::uint64_t hash, phx_flow_owner owner, std::uint32_t service = kWeb) {
  return {0, phx_flow_identity(service, hash), owner};
}

core::EntryIndex primary_of(const World& world, std::uint32_t slot) {
  return web(world).entry_of(web(world).table->owners()[slot].primary);
}

core::FlowsSwept sweep(World& world, daemon::FlowSweeper& sweeper) {
  sweeper.begin();
  while (true) {
    if (auto swept = sweeper.step(world.engine, kNow_s)) {
      return *swept;
    }
  }
}

TEST(FlowSweeper, counts_flows_by_entry_and_names_slots_whose_flows_live_elsewhere) {
  World world = serving();
  const core::EntryIndex home = primary_of(world, 1);
  const auto other = static_cast<core::EntryIndex>((primary_of(world, 2) + 1) % 3);
  const std::uint64_t upper_bits = 0xabc'0000'0000;  // of the hash; they don't choose the slot
  world.plane.flows = {flow(upper_bits | 1, {home, 0, 0, kNow_s}),
                       flow(upper_bits | 2, {other, 0, 0, kNow_s})};
  daemon::FlowSweeper sweeper(world.plane);
  const core::FlowsSwept swept = sweep(world, sweeper);
  const auto index = world.engine.services().begin()->first;
  EXPECT_EQ(swept.slots_with_flows_elsewhere.at(index), std::set<std::uint32_t>{2});
  std::uint32_t flows = 0;
  for (const auto& [entry, count] : swept.flows) {
    flows += count;
  }
  EXPECT_EQ(flows, 2u);
  EXPECT_EQ(sweeper.occupancy(), 2u);
}

TEST(FlowSweeper, expires_flows_that_are_idle_for_longer_than_the_transition) {
  World world = serving();
  world.plane.flows = {flow(1, {0, 0, 0, kNow_s - 600}), flow(2, {0, 0, 0, kNow_s - 601})};
  daemon::FlowSweeper sweeper(world.plane);
  sweep(world, sweeper);
  ASSERT_EQ(world.plane.flows.size(), 1u);
  EXPECT_EQ(world.plane.flows[0].hash(), 1u);
  EXPECT_EQ(sweeper.expired(), 1u);
}

TEST(FlowSweeper, expires_closing_and_udp_flows_sooner) {
  World world = serving();
  world.plane.flows = {flow(1, {0, PHX_FLOW_CLOSING, 0, kNow_s - 31}),
                       flow(2, {0, PHX_FLOW_UDP, 0, kNow_s - 61})};
  daemon::FlowSweeper sweeper(world.plane);
  sweep(world, sweeper);
  EXPECT_TRUE(world.plane.flows.empty());
}

TEST(FlowSweeper, a_flow_seen_after_the_clock_was_read_is_not_idle) {
  World world = serving();
  world.plane.flows = {flow(1, {0, 0, 0, kNow_s + 1})};
  daemon::FlowSweeper sweeper(world.plane);
  sweep(world, sweeper);
  EXPECT_EQ(world.plane.flows.size(), 1u);
}

TEST(FlowSweeper, forgets_flows_of_slots_that_are_tracked_no_more) {
  World world = serving(core::Track::automatic);
  world.plane.flows = {flow(1, {0, 0, 0, kNow_s})};
  daemon::FlowSweeper sweeper(world.plane);
  sweep(world, sweeper);
  EXPECT_TRUE(world.plane.flows.empty());
}

TEST(FlowSweeper, forgets_flows_of_a_service_that_is_gone) {
  World world = serving();
  world.plane.flows = {flow(1, {0, 0, 0, kNow_s}, kWeb + 1)};
  daemon::FlowSweeper sweeper(world.plane);
  sweep(world, sweeper);
  EXPECT_TRUE(world.plane.flows.empty());
}

TEST(FlowSweeper, counts_what_was_pushed_out) {
  World world = serving();
  daemon::FlowSweeper sweeper(world.plane);
  world.plane.totals[PHX_COUNTER_REMEMBERED] = 5;
  sweep(world, sweeper);
  EXPECT_EQ(sweeper.evicted(), 0u) << "what came before it was made is not its own";
  world.plane.totals[PHX_COUNTER_REMEMBERED] = 105;
  world.plane.flows = {flow(1, {0, 0, 0, kNow_s})};
  sweep(world, sweeper);
  EXPECT_EQ(sweeper.evicted(), 99u);
}

TEST(FlowSweeper, forgets_all_flows_of_one_entry) {
  World world = serving();
  world.plane.flows = {flow(1, {0, 0, 0, kNow_s}), flow(2, {1, 0, 0, kNow_s})};
  daemon::FlowSweeper sweeper(world.plane);
  sweeper.forget_flows_of(1);
  ASSERT_EQ(world.plane.flows.size(), 1u);
  EXPECT_EQ(world.plane.flows[0].owner.entry, 0);
}

}  // namespace
}  // namespace phalanx

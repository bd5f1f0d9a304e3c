// SPDX-License-Identifier: Apache-2.0
#include "daemon/flow_sweeper.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "fakes/world.hpp"

namespace phalanx {
namespace {

using fakes::backend;
using fakes::config;
using fakes::service;
using fakes::World;

constexpr std::uint32_t kNow_s = 10'000;

phx_flow flow(std::uint16_t source_port, int vip = 10, std::uint8_t protocol = 6) {
  phx_flow flow{};
  const core::Address to = fakes::ipv4(203, 0, 113, vip);
  std::ranges::copy(to.bytes, flow.to.address);
  flow.to.port = 80 << 8;
  flow.to.protocol = protocol;
  flow.to.family = PHX_FAMILY_IPV4;
  flow.source_port = source_port;
  flow.source[0] = 192;
  return flow;
}

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

std::uint32_t slot_of(const World& world, const phx_flow& of) {
  return static_cast<std::uint32_t>(phx_slot_hash(&of, web(world).config.seed)) &
         (web(world).config.slots - 1);
}

core::EntryIndex primary_of(const World& world, const phx_flow& of) {
  return web(world).entry_of(web(world).table->owners()[slot_of(world, of)].primary);
}

core::FlowsSwept sweep(World& world, daemon::FlowSweeper& sweeper) {
  sweeper.begin(world.engine);
  while (true) {
    auto swept = sweeper.step(world.engine, kNow_s);
    EXPECT_TRUE(swept);
    if (*swept) {
      return **swept;
    }
  }
}

TEST(FlowSweeper, counts_flows_by_entry_and_names_slots_whose_flows_live_elsewhere) {
  World world = serving();
  const phx_flow at_home = flow(1);
  const phx_flow elsewhere = flow(2);
  const core::EntryIndex home = primary_of(world, at_home);
  const auto other = static_cast<core::EntryIndex>((primary_of(world, elsewhere) + 1) % 3);
  world.plane.flows = {{at_home, {home, 0, 0, kNow_s}}, {elsewhere, {other, 0, 0, kNow_s}}};
  daemon::FlowSweeper sweeper(world.plane);
  const core::FlowsSwept swept = sweep(world, sweeper);
  const auto index = world.engine.services().begin()->first;
  EXPECT_EQ(swept.slots_with_flows_elsewhere.at(index), std::set<std::uint32_t>{slot_of(world, elsewhere)});
  std::uint32_t flows = 0;
  for (const auto& [entry, count] : swept.flows) {
    flows += count;
  }
  EXPECT_EQ(flows, 2u);
  EXPECT_EQ(sweeper.occupancy(), 2u);
}

TEST(FlowSweeper, expires_flows_that_are_idle_for_longer_than_the_transition) {
  World world = serving();
  world.plane.flows = {{flow(1), {0, 0, 0, kNow_s - 600}}, {flow(2), {0, 0, 0, kNow_s - 601}}};
  daemon::FlowSweeper sweeper(world.plane);
  sweep(world, sweeper);
  ASSERT_EQ(world.plane.flows.size(), 1u);
  EXPECT_EQ(world.plane.flows[0].flow.source_port, 1);
  EXPECT_EQ(sweeper.expired(), 1u);
}

TEST(FlowSweeper, expires_closing_and_udp_flows_sooner) {
  World world = serving();
  world.plane.flows = {{flow(1), {0, PHX_FLOW_CLOSING, 0, kNow_s - 31}},
                       {flow(2, 10, 17), {0, 0, 0, kNow_s - 61}}};
  daemon::FlowSweeper sweeper(world.plane);
  sweep(world, sweeper);
  EXPECT_TRUE(world.plane.flows.empty());
}

TEST(FlowSweeper, a_flow_seen_after_the_clock_was_read_is_not_idle) {
  World world = serving();
  world.plane.flows = {{flow(1), {0, 0, 0, kNow_s + 1}}};
  daemon::FlowSweeper sweeper(world.plane);
  sweep(world, sweeper);
  EXPECT_EQ(world.plane.flows.size(), 1u);
}

TEST(FlowSweeper, forgets_flows_of_slots_that_are_tracked_no_more) {
  World world = serving(core::Track::automatic);
  world.plane.flows = {{flow(1), {0, 0, 0, kNow_s}}};
  daemon::FlowSweeper sweeper(world.plane);
  sweep(world, sweeper);
  EXPECT_TRUE(world.plane.flows.empty());
}

TEST(FlowSweeper, forgets_flows_to_a_vip_that_is_served_no_more) {
  World world = serving();
  world.plane.flows = {{flow(1, 99), {0, 0, 0, kNow_s}}};
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
  world.plane.flows = {{flow(1), {0, 0, 0, kNow_s}}};
  sweep(world, sweeper);
  EXPECT_EQ(sweeper.evicted(), 99u);
}

TEST(FlowSweeper, forgets_all_flows_of_one_entry) {
  World world = serving();
  world.plane.flows = {{flow(1), {0, 0, 0, kNow_s}}, {flow(2), {1, 0, 0, kNow_s}}};
  daemon::FlowSweeper sweeper(world.plane);
  ASSERT_TRUE(sweeper.forget_flows_of(1));
  ASSERT_EQ(world.plane.flows.size(), 1u);
  EXPECT_EQ(world.plane.flows[0].owner.entry, 0);
}

}  // namespace
}  // namespace phalanx

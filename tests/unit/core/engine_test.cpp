// SPDX-License-Identifier: Apache-2.0
#include "core/engine.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/announcement.hpp"
#include "core/engine_world.hpp"

namespace phalanx {
namespace {

using namespace engine_world;
using namespace std::chrono_literals;
using core::Verdict;

TEST(Engine, takes_no_traffic_before_a_next_hop_is_known) {
  World world;
  ASSERT_TRUE(world.apply(four_backends()));
  world.finish_idle_work();
  EXPECT_FALSE(is_up(world, 11));
  world.resolve_all_next_hops();
  EXPECT_TRUE(is_up(world, 11));
}

TEST(Engine, unknown_backends_take_traffic_until_the_first_probe_decides_alone) {
  World world = serving(four_backends());
  world.verdicts[12] = Verdict::fail;
  EXPECT_TRUE(is_up(world, 12));
  world.run(100ms);
  EXPECT_FALSE(is_up(world, 12)) << "fall does not count for the first conclusive probe";
  EXPECT_TRUE(is_up(world, 11));
}

TEST(Engine, a_backend_falls_after_fall_failures_and_rises_after_rise_passes) {
  World world = serving(four_backends());
  world.run(200ms);
  world.verdicts[11] = Verdict::fail;
  world.run(200ms);
  EXPECT_TRUE(is_up(world, 11)) << "two failures of three";
  world.run(100ms);
  EXPECT_FALSE(is_up(world, 11));
  world.verdicts[11] = Verdict::pass;
  world.run(100ms);
  EXPECT_FALSE(is_up(world, 11)) << "one pass of two";
  world.run(100ms);
  EXPECT_TRUE(is_up(world, 11));
}

TEST(Engine, inconclusive_probes_change_nothing) {
  World world = serving(four_backends());
  world.run(200ms);
  world.verdicts[11] = Verdict::inconclusive;
  world.run(5s);
  EXPECT_TRUE(is_up(world, 11));
}

TEST(Engine, down_is_stored_before_any_slot_is_patched_and_up_after_all_of_them) {
  World world = serving(four_backends());
  world.run(200ms);
  world.verdicts[11] = Verdict::fail;
  world.actions.clear();
  world.run(300ms);
  const auto is_store = [](const auto& a) { return std::holds_alternative<core::StoreEntryState>(a); };
  const auto is_patch = [](const auto& a) { return std::holds_alternative<core::PatchSlots>(a); };
  EXPECT_LT(std::ranges::find_if(world.actions, is_store), std::ranges::find_if(world.actions, is_patch));

  world.verdicts[11] = Verdict::pass;
  world.actions.clear();
  world.run(200ms);
  EXPECT_GT(std::ranges::find_if(world.actions, is_store), std::ranges::find_if(world.actions, is_patch));
}

TEST(Engine, a_failure_moves_only_the_slots_of_the_backend_and_recovery_moves_them_back) {
  World world = serving(four_backends());
  world.run(200ms);
  const auto before = world.plane.slots;
  const core::EntryIndex dead = entry_of(world, 11);
  world.verdicts[11] = Verdict::fail;
  world.run(300ms);
  EXPECT_EQ(slots_with_primary(world, dead), 0u);
  for (std::size_t slot = 0; slot < before.size(); ++slot) {
    if (before[slot].primary == dead) {
      ASSERT_EQ(world.plane.slots[slot].primary, before[slot].backup)
          << "the backup took over, slot " << slot;
    } else {
      ASSERT_EQ(world.plane.slots[slot].primary, before[slot].primary) << "collateral in slot " << slot;
    }
  }
  world.verdicts[11] = Verdict::pass;
  world.run(200ms);
  for (std::size_t slot = 0; slot < before.size(); ++slot) {
    ASSERT_EQ(world.plane.slots[slot].primary, before[slot].primary);
    ASSERT_EQ(world.plane.slots[slot].backup, before[slot].backup);
  }
}

TEST(Engine, every_slot_has_a_live_backup_again_after_a_failure) {
  World world = serving(four_backends());
  world.run(200ms);
  const core::EntryIndex dead = entry_of(world, 11);
  world.verdicts[11] = Verdict::fail;
  world.run(300ms);
  for (std::uint32_t slot = 0; slot < PHX_MIN_SLOTS; ++slot) {
    const phx_slot row = world.plane.slots[slot];
    ASSERT_NE(row.backup, PHX_NO_ENTRY);
    ASSERT_NE(row.backup, dead);
    ASSERT_NE(row.backup, row.primary);
  }
}

TEST(Engine, a_failed_check_leaves_a_host_reachable_and_silence_does_not) {
  World world = serving(four_backends());
  world.run(200ms);
  EXPECT_TRUE(is_reachable(world, 11));
  world.verdicts[11] = world.verdicts[12] = Verdict::fail;
  world.silent = {12};
  world.plane.stores = {};
  world.run(300ms);
  EXPECT_FALSE(is_up(world, 11));
  EXPECT_TRUE(is_reachable(world, 11));
  EXPECT_FALSE(is_up(world, 12));
  EXPECT_FALSE(is_reachable(world, 12));
  EXPECT_EQ(world.plane.stores.backend_state, 2) << "both bits of an entry by one store";
  ASSERT_TRUE(world.restart());
  EXPECT_TRUE(is_reachable(world, 11));
  EXPECT_FALSE(is_reachable(world, 12)) << "a restart hears nothing by itself";

  world.silent = {11};  // the one dies altogether, the other boots
  world.run(500ms);
  EXPECT_FALSE(is_reachable(world, 11));
  EXPECT_TRUE(is_reachable(world, 12));
  EXPECT_FALSE(is_up(world, 12));
  world.silent.clear();
  world.verdicts.clear();
  world.run(500ms);
  for (const int backend : {11, 12}) {
    EXPECT_TRUE(is_up(world, backend));
    EXPECT_TRUE(is_reachable(world, backend));
  }
}

TEST(Engine, a_thousand_services_that_share_check_and_address_fail_by_one_store) {
  std::vector<core::Service> services;
  for (int i = 0; i < 1000; ++i) {
    core::Service s = service("web-" + std::to_string(i), 10, {backend("b1", 11), backend("b2", 12)});
    s.port = static_cast<std::uint16_t>(1000 + i);
    services.push_back(s);
  }
  World world = serving(config(services, {.slots = 1000 * PHX_MIN_SLOTS}));
  world.run(200ms);
  ASSERT_EQ(world.engine.entries().size(), 2u);
  world.plane.stores = {};
  world.verdicts[11] = Verdict::fail;
  world.run(300ms);
  EXPECT_EQ(world.plane.stores.backend_state, 1);
  EXPECT_FALSE(is_up(world, 11, "web-0"));
  EXPECT_EQ(entry_of(world, 11, "web-0"), entry_of(world, 11, "web-999"));
}

TEST(Engine, services_on_one_address_with_different_checks_fail_independently) {
  core::Service a = service("a", 10, {backend("b1", 11), backend("b2", 12)});
  core::Service b = service("b", 20, {backend("b1", 11), backend("b2", 12)});
  b.check->path = "/other";
  World world = serving(config({a, b}));
  EXPECT_EQ(world.engine.entries().size(), 4u);
  world.run(200ms);
  world.failing_path = "/other";
  world.run(300ms);
  EXPECT_FALSE(is_up(world, 11, "b"));
  EXPECT_TRUE(is_up(world, 11, "a"));
}

TEST(Engine, events_say_what_changed_and_why_for_each_service) {
  World world = serving(four_backends());
  world.run(200ms);
  world.actions.clear();
  world.verdicts[13] = Verdict::fail;
  world.run(300ms);
  ASSERT_EQ(world.events().size(), 1u);
  const core::Announce& event = *world.events().front();
  EXPECT_EQ(event.type, "backend");
  EXPECT_EQ(event.service, "web");
  EXPECT_EQ(event.backend, "b3");
  EXPECT_EQ(event.from, "up");
  EXPECT_EQ(event.to, "down");
  EXPECT_EQ(event.reason, "as the test says");
}

TEST(Engine, late_answers_are_dropped) {
  World world = serving(four_backends());
  world.run(200ms);
  for (int i = 0; i < 10; ++i) {
    world.step(core::ProbeFinished{1, Verdict::fail, "late"});
    world.step(core::ProbeFinished{999999, Verdict::fail, "never asked"});
  }
  EXPECT_TRUE(is_up(world, 11));
}

TEST(Engine, a_new_gateway_is_swung_to_by_one_store_and_never_written_under_a_reader) {
  World world = serving(four_backends());
  const core::EntryIndex entry = entry_of(world, 11);
  const auto live = [&] { return (world.plane.backend(entry).state & PHX_STATE_NEXT_HOP) != 0 ? 1 : 0; };
  const int row = live();
  world.actions.clear();
  world.step(core::NextHopChanged{fakes::ipv4(10, 0, 1, 11), World::hop(42), {}});
  ASSERT_TRUE(std::holds_alternative<core::WriteNextHop>(world.actions.at(0)));
  EXPECT_EQ(std::get<core::WriteNextHop>(world.actions.at(0)).row, 1 - row);
  EXPECT_EQ(live(), 1 - row);
  EXPECT_EQ(world.plane.backend(entry).next_hop[live()].destination_mac[5], 42);
  EXPECT_TRUE(is_up(world, 11)) << "traffic never stopped";
}

TEST(Engine, a_backend_without_next_hop_is_down_with_the_kernels_reason) {
  World world = serving(four_backends());
  world.run(200ms);
  world.step(core::NextHopChanged{fakes::ipv4(10, 0, 1, 11), std::nullopt, "neighbour does not answer"});
  world.finish_idle_work();
  EXPECT_FALSE(is_up(world, 11));
  EXPECT_STREQ(world.plane.backend_status(entry_of(world, 11)).reason, "neighbour does not answer");
  world.step(core::NextHopChanged{fakes::ipv4(10, 0, 1, 11), World::hop(1), {}});
  world.finish_idle_work();
  EXPECT_TRUE(is_up(world, 11));
}

TEST(Engine, l2_forwarding_needs_the_backend_on_the_link) {
  core::Service l2 = service("web", 10, {backend("b1", 11), backend("b2", 12)});
  l2.forward = core::Forward::l2;
  World world;
  ASSERT_TRUE(world.apply(config({l2})));
  core::NextHop gateway = World::hop(1);
  gateway.on_link = false;
  world.step(core::NextHopChanged{fakes::ipv4(10, 0, 1, 11), gateway, {}});
  world.finish_idle_work();
  EXPECT_FALSE(is_up(world, 11));
  EXPECT_NE(world.engine.entries().at(entry_of(world, 11)).reason.find("l2"), std::string::npos);
}

TEST(Engine, a_disabled_backend_loses_its_slots_and_outlives_a_restart) {
  World world = serving(four_backends());
  world.run(200ms);
  world.step(core::OverrideRequested{"web", {fakes::ipv4(10, 0, 1, 12), 80}, core::Word::disable});
  world.finish_idle_work();
  ASSERT_TRUE(world.plane.commit(world.engine.applied()));
  EXPECT_EQ(slots_with_primary(world, entry_of(world, 12)), 0u);
  EXPECT_FALSE(is_up(world, 12));
  ASSERT_TRUE(world.restart());
  world.finish_idle_work();
  world.run(500ms);
  EXPECT_FALSE(is_up(world, 12));
  EXPECT_EQ(slots_with_primary(world, entry_of(world, 12)), 0u);
  world.step(core::OverrideRequested{"web", {fakes::ipv4(10, 0, 1, 12), 80}, core::Word::enable});
  world.finish_idle_work();
  EXPECT_TRUE(is_up(world, 12));
  EXPECT_GT(slots_with_primary(world, entry_of(world, 12)), 900u);
}

TEST(Engine, the_word_about_the_node_outlives_a_reload_and_a_restart) {
  World world = serving(four_backends());
  world.step(core::NodeDrainRequested{true});
  core::Config next = four_backends();
  next.services[0].backends[0].weight = 50;
  ASSERT_TRUE(world.apply(next));
  EXPECT_TRUE(world.engine.applied().node_drained);
  ASSERT_TRUE(world.plane.commit(world.engine.applied()));
  ASSERT_TRUE(world.restart());
  EXPECT_TRUE(world.engine.applied().node_drained);
  world.step(core::NodeDrainRequested{false});
  EXPECT_FALSE(world.engine.applied().node_drained);
}

TEST(Engine, doubt_ends_when_every_backend_was_judged_and_begins_with_a_verdict_against_it) {
  World world(four_backends().node.limits);
  ASSERT_TRUE(world.apply(four_backends()));
  EXPECT_TRUE(core::in_doubt(world.engine)) << "next hops are not known";
  world.resolve_all_next_hops();
  world.run(2s);
  EXPECT_FALSE(core::in_doubt(world.engine));
  EXPECT_EQ(core::backends_up(world.engine), 4u);
  ASSERT_TRUE(world.plane.commit(world.engine.applied()));
  ASSERT_TRUE(world.restart());
  EXPECT_TRUE(core::in_doubt(world.engine)) << "what was adopted is hearsay";
}

TEST(Engine, disabling_in_one_service_leaves_the_other_alone) {
  World world = serving(config({service("a", 10, {backend("b1", 11), backend("b2", 12)}),
                                service("b", 20, {backend("b1", 11), backend("b2", 12)})}));
  world.step(core::OverrideRequested{"a", {fakes::ipv4(10, 0, 1, 11), 80}, core::Word::disable});
  world.finish_idle_work();
  EXPECT_TRUE(is_up(world, 11, "b")) << "the entry is shared, and service b still uses it";
  const auto& a = std::ranges::find_if(world.engine.services(), [](const auto& s) {
                    return s.second.config.name == "a";
                  })->second;
  for (const core::SlotOwners& owners : a.table->owners()) {
    EXPECT_NE(a.members.at(owners.primary).name, "b1");
  }
}

TEST(Engine, a_restart_keeps_bits_table_and_generation_and_stores_nothing) {
  World world = serving(four_backends());
  world.run(200ms);
  world.verdicts[14] = Verdict::fail;
  world.run(300ms);
  const auto slots = world.plane.slots;
  world.plane.stores = {};
  ASSERT_TRUE(world.restart());
  world.finish_idle_work();
  EXPECT_EQ(world.plane.stores.slot, 0);
  EXPECT_EQ(world.plane.stores.backend_state, 0);
  EXPECT_EQ(world.plane.stores.region, 0);
  EXPECT_EQ(world.engine.applied().generation, 1u);
  EXPECT_FALSE(is_up(world, 14));
  EXPECT_TRUE(is_up(world, 11));
}

TEST(Engine, two_nodes_given_other_orders_and_names_publish_the_same_table_by_address) {
  World one = serving(four_backends());
  World two = serving(config({service(
      "web", 10, {backend("zeta", 13), backend("alpha", 11), backend("omega", 14), backend("b1", 12)})}));
  one.run(200ms);
  two.run(200ms);
  for (World* world : {&one, &two}) {
    world->verdicts[12] = Verdict::fail;
    world->run(300ms);
  }
  const auto address = [](const World& world, std::uint16_t entry) {
    return entry == PHX_NO_ENTRY ? 0 : world.plane.backend(entry).address[3];
  };
  for (std::uint32_t slot = 0; slot < PHX_MIN_SLOTS; ++slot) {
    ASSERT_EQ(address(one, one.plane.slots[slot].primary), address(two, two.plane.slots[slot].primary));
    ASSERT_EQ(address(one, one.plane.slots[slot].backup), address(two, two.plane.slots[slot].backup));
  }
}

TEST(Engine, a_reload_that_adds_a_backend_swings_the_table_by_one_store) {
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

TEST(Engine, a_changed_check_gets_the_next_hop_that_is_known_already) {
  World world = serving(four_backends());
  core::Config next = four_backends();
  next.services[0].check->path = "/new";
  ASSERT_TRUE(world.apply(next));
  world.finish_idle_work();
  EXPECT_TRUE(is_up(world, 11));
}

TEST(Engine, a_changed_tunnel_source_reaches_every_entry) {
  World world = serving(four_backends());
  core::Config next = four_backends();
  next.node.tunnel_source_v4 = core::Prefix{fakes::ipv4(10, 9, 9, 9), 32};
  ASSERT_TRUE(world.apply(next));
  world.finish_idle_work();
  const phx_backend row = world.plane.backend(entry_of(world, 11));
  EXPECT_EQ(row.next_hop[(row.state & PHX_STATE_NEXT_HOP) != 0 ? 1 : 0].tunnel_source[1], 9);
}

// The live row's source and its bits, after each store that touches either.
TEST(Engine, a_changed_tunnel_source_prefix_never_fills_bits_that_a_source_has_set) {
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

TEST(Engine, a_reload_of_mode_gue_port_or_check_is_served_from_its_first_packet_on) {
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

TEST(Engine, another_tunnel_to_the_same_sockets_is_no_change_for_connections) {
  World world = serving(four_backends());
  world.run(200ms);
  ASSERT_TRUE(world.apply(four_backends_in(core::Forward::gue)));
  EXPECT_TRUE(world.engine.services().begin()->second.transitions.empty());
  ASSERT_TRUE(world.apply(four_backends_in(core::Forward::nat)));
  EXPECT_EQ(world.engine.services().begin()->second.transitions.size(), PHX_MIN_SLOTS)
      << "in nat they end at other sockets";
}

TEST(Engine, a_backend_that_is_down_stays_down_when_its_mode_changes) {
  World world = serving(four_backends());
  world.verdicts[11] = Verdict::fail;
  world.run(500ms);
  ASSERT_FALSE(is_up(world, 11));
  ASSERT_TRUE(world.apply(four_backends_in(core::Forward::gue)));
  world.finish_idle_work();
  EXPECT_FALSE(is_up(world, 11));
  EXPECT_EQ(slots_with_primary(world, entry_of(world, 11)), 0u);
}

TEST(Engine, a_backend_disabled_in_its_service_is_not_up_after_its_mode_changes) {
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

TEST(Engine, health_that_changed_while_tables_were_built_is_in_the_new_table) {
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

TEST(Engine, an_operators_word_that_came_while_tables_were_built_counts) {
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

TEST(Engine, a_changed_limit_is_refused_by_its_key) {
  World world = serving(four_backends());
  core::Config next = four_backends();
  next.node.limits.backends = 8192;
  const auto refused = world.apply(next);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("node.limits.backends"), std::string::npos);
  EXPECT_EQ(world.engine.applied().generation, 1u);
}

TEST(Engine, too_many_slots_are_refused_by_their_key_and_change_nothing) {
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

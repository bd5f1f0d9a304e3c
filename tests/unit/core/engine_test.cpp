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

}  // namespace
}  // namespace phalanx

// SPDX-License-Identifier: Apache-2.0
// What the engine remembers of changes: transitions, drain, settling, growth, redundancy.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "core/engine.hpp"
#include "core/engine_world.hpp"

namespace phalanx {
namespace {

using namespace engine_world;
using namespace std::chrono_literals;
using core::Verdict;

TEST(Engine, slots_that_a_dead_backend_left_are_tracked_and_do_not_name_it) {
  World world = serving(four_backends());
  world.run(200ms);
  const auto before = world.plane.slots;
  const core::EntryIndex dead = entry_of(world, 11);
  world.verdicts[11] = Verdict::fail;
  world.run(300ms);
  for (std::uint32_t slot = 0; slot < PHX_MIN_SLOTS; ++slot) {
    const bool moved = before[slot].primary == dead;
    ASSERT_EQ(slot_of(world, slot).flags, moved ? PHX_SLOT_TRACKED : 0u);
    if (moved) {
      ASSERT_EQ(slot_of(world, slot).previous, PHX_NO_ENTRY) << "its flows live elsewhere when it is back";
    }
  }
}

core::Config four_gue_backends() {
  core::Config config = four_backends();
  config.services[0].forward = core::Forward::gue;
  return config;
}

// Who is named as previous by the slots that 11 had, after `fault`.
std::set<std::uint16_t> previous_after(World& world, const std::function<void()>& fault) {
  world.run(200ms);
  const auto before = world.plane.slots;
  const core::EntryIndex victim = entry_of(world, 11);
  fault();
  world.run(300ms);
  std::set<std::uint16_t> named;
  for (std::uint32_t slot = 0; slot < PHX_MIN_SLOTS; ++slot) {
    if (before[slot].primary == victim) {
      named.insert(slot_of(world, slot).previous);
    }
  }
  return named;
}

TEST(Engine, where_packets_name_hops_a_failed_check_leaves_flows_where_they_are) {
  World world = serving(four_gue_backends());
  const auto named = previous_after(world, [&] { world.verdicts[11] = Verdict::fail; });
  EXPECT_EQ(named, std::set{entry_of(world, 11)}) << "who gets one of its flows passes it on";
  world.verdicts[11] = Verdict::pass;
  world.run(300ms);
  EXPECT_EQ(previous_after(world, [] {}), std::set{entry_of(world, 11)})
      << "and so while it takes over again";
}

TEST(Engine, where_packets_name_hops_a_silent_host_is_named_no_more) {
  World world = serving(four_gue_backends());
  const auto named = previous_after(world, [&] {
    world.verdicts[11] = Verdict::fail;
    world.silent.insert(11);
  });
  EXPECT_EQ(named, std::set<std::uint16_t>{PHX_NO_ENTRY});
}

TEST(Engine, slots_that_a_recovered_backend_took_back_name_the_one_that_stood_in) {
  World world = serving(four_backends());
  world.run(200ms);
  const core::EntryIndex victim = entry_of(world, 11);
  const auto before = world.plane.slots;
  world.verdicts[11] = Verdict::fail;
  world.run(300ms);
  world.verdicts[11] = Verdict::pass;
  world.run(200ms);
  for (std::uint32_t slot = 0; slot < PHX_MIN_SLOTS; ++slot) {
    if (before[slot].primary == victim) {
      ASSERT_EQ(slot_of(world, slot).primary, victim);
      ASSERT_EQ(slot_of(world, slot).previous, before[slot].backup);
    }
  }
}

TEST(Engine, a_window_ends_when_it_is_over_and_no_flow_lives_elsewhere) {
  World world = serving(four_backends());
  world.run(200ms);
  world.verdicts[11] = Verdict::fail;
  world.run(300ms);
  world.verdicts[11] = Verdict::pass;
  world.run(300ms);
  const auto tracked = [&] {
    return std::ranges::count(world.plane.slots, std::uint16_t{PHX_SLOT_TRACKED}, &phx_slot::flags);
  };
  const auto all = tracked();
  ASSERT_GT(all, 900);
  world.step(nothing_found());
  EXPECT_EQ(tracked(), all) << "the window is not over";
  world.run(601s);
  const auto& service = world.engine.services().begin()->second;
  std::uint32_t busy = 0;
  while (service.transitions.find(busy) == nullptr) {
    ++busy;
  }
  world.step(core::FlowsSwept{{{service.rows.index, {busy}}}, {{entry_of(world, 12), 1}}});
  EXPECT_EQ(tracked(), 1) << "a remembered flow lives elsewhere";
  world.step(nothing_found());
  EXPECT_EQ(tracked(), 0);
  EXPECT_FALSE(world.engine.wants_sweep());
}

TEST(Engine, a_draining_backend_takes_no_slot_and_keeps_its_bit_until_it_is_undrained) {
  World world = serving(four_backends());
  world.run(200ms);
  const auto before = world.plane.slots;
  world.step(core::OverrideRequested{"web", {fakes::ipv4(10, 0, 1, 12), 80}, core::Word::drain});
  world.finish_idle_work();
  const core::EntryIndex drained = entry_of(world, 12);
  EXPECT_EQ(slots_with_primary(world, drained), 0u);
  EXPECT_TRUE(is_up(world, 12));
  EXPECT_TRUE(world.plane.backend(drained).state & PHX_STATE_DRAINING);
  world.run(700s);
  world.step(nothing_found());
  EXPECT_GT(std::ranges::count(world.plane.slots, drained, &phx_slot::previous), 900)
      << "its flows may still come by previous";
  world.step(core::OverrideRequested{"web", {fakes::ipv4(10, 0, 1, 12), 80}, core::Word::undrain});
  world.finish_idle_work();
  for (std::uint32_t slot = 0; slot < PHX_MIN_SLOTS; ++slot) {
    ASSERT_EQ(slot_of(world, slot).primary, before[slot].primary) << "exactly its slots return";
  }
}

TEST(Engine, a_slot_that_changes_twice_names_who_served_it_before_both) {
  World world = serving(four_backends());
  world.run(200ms);
  const auto before = world.plane.slots;
  const core::EntryIndex drained = entry_of(world, 12);
  world.step(core::OverrideRequested{"web", {fakes::ipv4(10, 0, 1, 12), 80}, core::Word::drain});
  world.finish_idle_work();
  world.step(core::OverrideRequested{"web", {fakes::ipv4(10, 0, 1, 12), 80}, core::Word::undrain});
  world.finish_idle_work();
  for (std::uint32_t slot = 0; slot < PHX_MIN_SLOTS; ++slot) {
    if (before[slot].primary == drained) {
      ASSERT_EQ(slot_of(world, slot).previous, drained)
          << "a flow that was silent meanwhile is still its own";
      ASSERT_EQ(slot_of(world, slot).flags, PHX_SLOT_TRACKED);
    }
  }
}

TEST(Engine, a_new_backend_of_a_serving_service_waits_for_its_first_pass_and_to_settle) {
  World world = serving(four_backends());
  world.run(200ms);
  core::Config next = four_backends();
  next.services[0].backends.push_back(backend("b5", 15));
  ASSERT_TRUE(world.apply(next));
  world.resolve_all_next_hops();
  world.run(4900ms);
  EXPECT_EQ(slots_with_primary(world, entry_of(world, 15)), 0u);
  world.run(200ms);
  const core::EntryIndex added = entry_of(world, 15);
  EXPECT_GT(slots_with_primary(world, added), 700u);
  for (std::uint32_t slot = 0; slot < PHX_MIN_SLOTS; ++slot) {
    if (slot_of(world, slot).primary == added) {
      ASSERT_EQ(slot_of(world, slot).flags, PHX_SLOT_TRACKED);
      ASSERT_NE(slot_of(world, slot).previous, added);
    }
  }
}

TEST(Engine, a_removed_backend_drains_until_its_deadline_and_gives_up_its_row) {
  World world = serving(four_backends());
  world.run(200ms);
  const core::EntryIndex gone = entry_of(world, 14);
  core::Config next = four_backends();
  next.services[0].backends.pop_back();
  ASSERT_TRUE(world.apply(next));
  world.finish_idle_work();
  EXPECT_TRUE(world.plane.backend(gone).state & PHX_STATE_UP);
  EXPECT_TRUE(world.plane.backend(gone).state & PHX_STATE_DRAINING);
  EXPECT_GT(std::ranges::count(world.plane.slots, gone, &phx_slot::previous), 900);
  world.run(590s);
  world.step(nothing_found());
  EXPECT_TRUE(world.engine.entries().contains(gone));
  world.run(20s);
  world.plane.flows = {{0, 1, {gone, 0, 0, 0}}};
  world.step(nothing_found());
  EXPECT_FALSE(world.engine.entries().contains(gone));
  EXPECT_TRUE(world.plane.flows.empty());
  const auto& rows = world.engine.applied().layout.services().at("web").region;
  for (std::uint32_t slot = 0; slot < rows.slots; ++slot) {
    ASSERT_NE(slot_of(world, slot).previous, gone);
  }
  EXPECT_TRUE(world.plane.committed->layout.lingering().empty());
}

TEST(Engine, a_backend_removed_while_disabled_stays_down) {
  World world = serving(four_backends());
  world.run(200ms);
  const core::EntryIndex gone = entry_of(world, 14);
  world.step(core::OverrideRequested{"web", {fakes::ipv4(10, 0, 1, 14), 80}, core::Word::disable});
  world.finish_idle_work();
  core::Config next = four_backends();
  next.services[0].backends.pop_back();
  ASSERT_TRUE(world.apply(next));
  world.finish_idle_work();
  world.run(1s);
  EXPECT_FALSE(world.plane.backend(gone).state & PHX_STATE_UP);
}

TEST(Engine, a_backend_renamed_while_down_stays_down_and_moves_no_slot) {
  World world = serving(four_backends());
  world.run(200ms);
  world.verdicts[11] = Verdict::fail;
  world.run(300ms);
  const auto before = world.plane.slots;
  core::Config renamed = four_backends();
  renamed.services[0].backends[0].name = "another";
  ASSERT_TRUE(world.apply(renamed));
  world.finish_idle_work();
  EXPECT_FALSE(is_up(world, 11));
  for (std::size_t slot = 0; slot < before.size(); ++slot) {
    ASSERT_EQ(world.plane.slots[slot].primary, before[slot].primary);
  }
}

TEST(Engine, a_table_that_grows_remembers_who_held_each_slot) {
  World world = serving(four_backends());
  world.run(200ms);
  const auto before = world.plane.slots;
  core::Config next = four_backends();
  next.services[0].slots = 2 * PHX_MIN_SLOTS;
  ASSERT_TRUE(world.apply(next));
  world.finish_idle_work();
  for (std::uint32_t slot = 0; slot < 2 * PHX_MIN_SLOTS; ++slot) {
    const std::uint16_t former = before[slot % PHX_MIN_SLOTS].primary;
    const phx_slot now = slot_of(world, slot);
    ASSERT_TRUE(now.primary == former || (now.previous == former && now.flags == PHX_SLOT_TRACKED));
  }
  EXPECT_FALSE(world.apply(four_backends())) << "shrinking live is refused";
}

TEST(Engine, a_changed_weight_moves_slots_with_their_former_owner_remembered) {
  World world = serving(four_backends());
  world.run(200ms);
  core::Overrides overrides;
  overrides[{"web", {fakes::ipv4(10, 0, 1, 11), 80}}].weight = 300;
  ASSERT_TRUE(world.apply(world.engine.applied().config, overrides));
  world.finish_idle_work();
  EXPECT_NEAR(static_cast<double>(slots_with_primary(world, entry_of(world, 11))), PHX_MIN_SLOTS / 2.0, 100);
  EXPECT_EQ(world.engine.applied().overrides.size(), 1u);
}

TEST(Engine, a_recovered_backend_rises_in_steps_with_slow_start) {
  core::Config slow = four_backends();
  slow.services[0].slow_start = 16s;
  World world = serving(slow);
  world.run(200ms);
  const auto full = slots_with_primary(world, entry_of(world, 11));
  world.verdicts[11] = Verdict::fail;
  world.run(300ms);
  world.verdicts[11] = Verdict::pass;
  world.run(500ms);
  std::size_t last = 0;
  for (int second = 0; second < 16; ++second) {
    const auto now = slots_with_primary(world, entry_of(world, 11));
    EXPECT_GE(now, last);
    EXPECT_LT(now, full);
    last = now;
    world.run(1s);
  }
  EXPECT_EQ(slots_with_primary(world, entry_of(world, 11)), full);
}

TEST(Engine, says_aloud_when_a_service_is_down_to_its_last_zone_and_its_last_backend_and_when_it_is_healed) {
  core::Config zoned = four_backends();
  for (std::size_t i = 0; i < 4; ++i) {
    zoned.services[0].backends[i].zone = i < 2 ? "rack-1" : "rack-2";
  }
  World world = serving(zoned);
  world.run(200ms);
  const auto redundancy = [&] {
    std::vector<std::string> said;
    for (const core::Announce* event : world.events()) {
      if (event->type == "redundancy") {
        said.push_back(event->to);
      }
    }
    return said;
  };
  world.verdicts = {{11, Verdict::fail}, {12, Verdict::fail}};
  world.run(400ms);
  EXPECT_EQ(redundancy(), (std::vector<std::string>{"last zone"}));
  world.verdicts[13] = Verdict::fail;
  world.run(400ms);
  EXPECT_EQ(redundancy().back(), "last backend");
  world.verdicts.clear();
  world.run(400ms);
  EXPECT_EQ(redundancy().back(), "full");
}

TEST(Engine, a_restart_in_the_middle_of_a_window_starts_it_anew) {
  World world = serving(four_backends());
  world.run(200ms);
  world.verdicts[11] = Verdict::fail;
  world.run(300ms);
  world.run(590s);
  ASSERT_TRUE(world.restart());
  world.finish_idle_work();
  world.run(20s);
  world.step(nothing_found());
  EXPECT_GT(world.engine.services().begin()->second.transitions.size(), 900u);
}

}  // namespace
}  // namespace phalanx

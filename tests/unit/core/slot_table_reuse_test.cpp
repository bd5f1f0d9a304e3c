// SPDX-License-Identifier: Apache-2.0
// A table that was built from the scores of a former one is the table that a fresh build makes.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/slot_table.hpp"
#include "slot_table_reference.hpp"

namespace phalanx::core {
namespace {

void expect_reuse_changes_nothing(const SlotTable& former, const SlotTableSpec& spec) {
  const std::vector<Standing> standing = all_up(spec);
  const SlotTable reused = SlotTable::build(spec, standing, &former);
  const SlotTable fresh = SlotTable::build(spec, standing);
  EXPECT_TRUE(std::ranges::equal(reused.owners(), fresh.owners()));
  EXPECT_TRUE(std::ranges::equal(reused.base(), fresh.base()));
}

SlotTable table_of(const SlotTableSpec& spec) {
  return SlotTable::build(spec, all_up(spec));
}

// Adds, removes, re-weighs, moves to another tier, or shuffles.
SlotTableSpec change(RandomFleet& fleet, SlotTableSpec spec, std::uint32_t& next_number) {
  auto& members = spec.members;
  SlotTableMember& any = members[fleet.below(static_cast<std::uint32_t>(members.size()))];
  switch (fleet.below(5)) {
    case 0:
      any = fleet.member(next_number++);
      break;
    case 1:
      members.push_back(fleet.member(next_number++));
      break;
    case 2:
      if (members.size() > 1) members.erase(members.begin() + (&any - members.data()));
      break;
    case 3:
      any.weight = fleet.member(0).weight;
      any.tier = fleet.member(0).tier;
      break;
    default:
      std::shuffle(members.begin(), members.end(), std::mt19937_64(fleet.below(1000)));
  }
  return spec;
}

TEST(SlotTableReuse, agrees_with_a_fresh_build_after_every_change_of_members) {
  for (std::uint64_t seed = 1; seed <= 1000 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomFleet fleet(seed);
    std::uint32_t next_number = 1000;
    SlotTableSpec spec = fleet.spec();
    SlotTable former = table_of(spec);
    for (int i = 0; i < 10; ++i) {
      spec = change(fleet, std::move(spec), next_number);
      const SlotTable fresh = table_of(spec);
      SlotTable reused = SlotTable::build(spec, all_up(spec), &former);
      EXPECT_TRUE(std::ranges::equal(reused.owners(), fresh.owners()));
      EXPECT_TRUE(std::ranges::equal(reused.base(), fresh.base()));
      former = std::move(reused);
    }
  }
}

TEST(SlotTableReuse, survives_the_loss_and_the_gain_of_all_weight) {
  SlotTableSpec weighted = equal_members(20, 256);
  weighted.members[3].weight = 0;
  SlotTableSpec weightless = weighted;
  for (SlotTableMember& m : weightless.members) m.weight = 0;
  expect_reuse_changes_nothing(table_of(weighted), weightless);
  expect_reuse_changes_nothing(table_of(weightless), weighted);
}

TEST(SlotTableReuse, scores_anew_with_another_seed_or_more_slots) {
  const SlotTableSpec spec = equal_members(20, 256);
  const SlotTable former = table_of(spec);
  expect_reuse_changes_nothing(former, equal_members(20, 256, 2));
  expect_reuse_changes_nothing(former, equal_members(20, 512));
}

TEST(SlotTableReuse, does_not_depend_on_the_standing_of_the_former_members) {
  const SlotTableSpec spec = equal_members(20, 256);
  SlotTable former = table_of(spec);
  for (MemberIndex i = 0; i < 20; ++i) former.set_standing(i, {false});
  expect_reuse_changes_nothing(former, equal_members(21, 256));
}

}  // namespace
}  // namespace phalanx::core

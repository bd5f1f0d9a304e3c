// SPDX-License-Identifier: Apache-2.0
#include "core/slot_table.hpp"

#include <gtest/gtest.h>

#include "slot_table_reference.hpp"

namespace phalanx::core {
namespace {

constexpr std::uint32_t kSlots = 65536;

std::vector<std::uint32_t> primaries(const SlotTable& table) {
  std::vector<std::uint32_t> count(table.spec().members.size());
  for (const SlotOwners& owners : table.owners()) ++count[owners.primary];
  return count;
}

double max_over_average(const std::vector<std::uint32_t>& count, std::size_t sharing) {
  return *std::max_element(count.begin(), count.end()) * static_cast<double>(sharing) / kSlots;
}

SlotTableSpec of(std::vector<SlotTableMember> members, std::uint32_t slots = 4096) {
  SlotTableSpec spec;
  spec.members = std::move(members);
  spec.slots = slots;
  return spec;
}

TEST(SlotTable, hundred_equal_members_share_within_two_and_a_half_percent) {
  const SlotTableSpec spec = equal_members(100, kSlots);
  EXPECT_LE(max_over_average(primaries(SlotTable::build(spec, all_up(spec))), 100), 1.025);
}

TEST(SlotTable, with_twenty_of_hundred_down_the_others_share_within_seven_percent) {
  const SlotTableSpec spec = equal_members(100, kSlots);
  SlotTable table = SlotTable::build(spec, all_up(spec));
  for (MemberIndex i = 0; i < 20; ++i) table.set_standing(static_cast<MemberIndex>(i * 5), {false});
  EXPECT_LE(max_over_average(primaries(table), 80), 1.07);
}

TEST(SlotTable, weights_shape_the_shares) {
  SlotTableSpec spec = equal_members(60, kSlots);
  for (std::size_t i = 0; i < 60; ++i) spec.members[i].weight = static_cast<std::uint16_t>(50 * (1 + i % 3));
  const std::vector<std::uint32_t> count = primaries(SlotTable::build(spec, all_up(spec)));
  for (std::size_t i = 0; i < 60; ++i) {
    const double ideal = kSlots * spec.members[i].weight / 6000.0;
    EXPECT_NEAR(count[i] / ideal, 1.0, 0.1) << "member " << i;
  }
}

TEST(SlotTable, adding_one_member_to_hundred_moves_hardly_a_slot_between_the_others) {
  const SlotTableSpec before = equal_members(100, kSlots);
  const SlotTableSpec after = equal_members(101, kSlots);
  const SlotTable old_table = SlotTable::build(before, all_up(before));
  const SlotTable new_table = SlotTable::build(after, all_up(after));
  std::uint32_t collateral = 0;
  std::uint32_t moved = 0;
  std::uint32_t remembered = 0;  // previous names the former owner
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    if (old_table.base()[slot] == new_table.base()[slot]) continue;
    ++moved;
    if (new_table.base()[slot] != 100) ++collateral;
    if (new_table.owners()[slot].previous == old_table.base()[slot]) ++remembered;
  }
  EXPECT_LE(collateral, kSlots * 0.002);
  EXPECT_GE(remembered, moved * 0.75);
}

TEST(SlotTable, a_member_with_admission_r_holds_about_r_of_its_own_slots) {
  const SlotTableSpec spec = equal_members(10, kSlots);
  SlotTable table = SlotTable::build(spec, all_up(spec));
  const double own = primaries(table)[3];
  for (const double r : {0.1, 0.25, 0.5, 0.9}) {
    table.set_standing(3, {true, static_cast<std::uint32_t>(r * kFullAdmission)});
    EXPECT_NEAR(primaries(table)[3] / own, r, 0.03);
  }
}

TEST(SlotTable, one_member_serves_all_without_backup) {
  const SlotTableSpec spec = of({{endpoint_number(0)}});
  SlotTable table = SlotTable::build(spec, all_up(spec));
  EXPECT_EQ(table.slots_without_backup(), spec.slots);
  EXPECT_EQ(table.slots_without_primary(), 0u);
  EXPECT_EQ(table.owners()[7], (SlotOwners{0, kNoMember, kNoMember}));
  EXPECT_EQ(table.set_standing(0, {false}).size(), spec.slots) << "nobody serves them now";
  EXPECT_EQ(table.slots_without_primary(), spec.slots);
}

TEST(SlotTable, of_two_members_each_is_the_other_ones_backup_and_previous) {
  const SlotTableSpec spec = of({{endpoint_number(0)}, {endpoint_number(1)}});
  SlotTable table = SlotTable::build(spec, all_up(spec));
  for (const SlotOwners& owners : table.owners()) {
    EXPECT_EQ(owners.primary + owners.backup, 1);
    EXPECT_EQ(owners.previous, owners.backup);
  }
  table.set_standing(0, {false});
  for (const SlotOwners& owners : table.owners()) {
    EXPECT_EQ(owners.primary, 1);
    EXPECT_EQ(owners.backup, kNoMember);
    EXPECT_EQ(owners.previous, 0);
  }
}

TEST(SlotTable, a_member_without_weight_serves_only_when_the_others_cannot) {
  const SlotTableSpec spec = of({{endpoint_number(0), 0}, {endpoint_number(1), 65535}});
  SlotTable table = SlotTable::build(spec, all_up(spec));
  EXPECT_EQ(primaries(table), (std::vector<std::uint32_t>{0, spec.slots}));
  table.set_standing(1, {false});
  EXPECT_EQ(primaries(table), (std::vector<std::uint32_t>{spec.slots, 0}));
}

TEST(SlotTable, when_no_member_has_weight_all_count_alike) {
  SlotTableSpec weightless = equal_members(10, 4096);
  for (SlotTableMember& m : weightless.members) m.weight = 0;
  const SlotTableSpec equal = equal_members(10, 4096);
  const SlotTable table = SlotTable::build(weightless, all_up(weightless));
  EXPECT_TRUE(std::ranges::equal(table.owners(), SlotTable::build(equal, all_up(equal)).owners()));
}

TEST(SlotTable, the_next_tier_serves_when_the_first_is_down) {
  SlotTableSpec spec = equal_members(24, 4096);
  for (std::size_t i = 12; i < 24; ++i) spec.members[i].tier = 1;
  SlotTable table = SlotTable::build(spec, all_up(spec));
  for (const SlotOwners& owners : table.owners()) EXPECT_TRUE(owners.primary < 12 && owners.backup < 12);
  for (MemberIndex i = 0; i < 11; ++i) table.set_standing(i, {false});
  for (const SlotOwners& owners : table.owners()) EXPECT_TRUE(owners.primary == 11 && owners.backup >= 12);
  table.set_standing(11, {false});
  for (const SlotOwners& owners : table.owners()) EXPECT_TRUE(owners.primary >= 12 && owners.backup >= 12);
}

TEST(SlotTable, the_base_is_of_the_lowest_tier_that_has_weight) {
  SlotTableSpec spec = equal_members(20, 4096);
  for (std::size_t i = 0; i < 10; ++i) spec.members[i].weight = 0;
  for (std::size_t i = 10; i < 20; ++i) spec.members[i].tier = 1;
  const SlotTable table = SlotTable::build(spec, all_up(spec));
  for (const SlotOwners& owners : table.owners()) {
    EXPECT_GE(owners.primary, 10);
    EXPECT_LT(owners.backup, 10) << "tier 0 comes next, though it has no weight";
  }
}

TEST(SlotTable, when_all_are_down_base_stays_primary_and_nobody_is_backup) {
  const SlotTableSpec spec = equal_members(30, 4096);
  const std::vector<Standing> down(30, Standing{false});
  const SlotTable table = SlotTable::build(spec, down);
  EXPECT_EQ(table.slots_without_backup(), spec.slots);
  EXPECT_EQ(table.slots_without_primary(), spec.slots);
  for (std::uint32_t slot = 0; slot < spec.slots; ++slot) {
    EXPECT_EQ(table.owners()[slot].primary, table.base()[slot]);
  }
}

TEST(SlotTable, a_draining_member_is_backup_when_nobody_else_is_up) {
  const SlotTableSpec spec = of({{endpoint_number(0)}, {endpoint_number(1)}, {endpoint_number(2)}});
  const SlotTable table = SlotTable::build(spec, std::vector<Standing>{{true}, {true, 0}, {false}});
  for (const SlotOwners& owners : table.owners()) {
    EXPECT_EQ(owners.primary, 0);
    EXPECT_EQ(owners.backup, 1);
  }
}

TEST(SlotTable, holds_the_most_members_that_an_index_can_name) {
  const SlotTableSpec spec = equal_members(65534, 16);
  SlotTable table = SlotTable::build(spec, all_up(spec));
  const MemberIndex primary = table.owners()[3].primary;
  const MemberIndex backup = table.owners()[3].backup;
  table.set_standing(primary, {false});
  EXPECT_EQ(table.owners()[3].primary, backup);
}

TEST(SlotTable, a_single_slot_works) {
  const SlotTableSpec spec = equal_members(20, 1);
  SlotTable table = SlotTable::build(spec, all_up(spec));
  const reference::Table expected(spec);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(table.owners()[0].primary, expected.succession(0)[i]);
    table.set_standing(table.owners()[0].primary, {false});
  }
  EXPECT_EQ(table.slots_without_primary(), 1u);
}

TEST(SlotTable, another_seed_is_another_table) {
  const SlotTableSpec one = equal_members(10, 4096, 1);
  const SlotTableSpec two = equal_members(10, 4096, 2);
  const SlotTable x = SlotTable::build(one, all_up(one));
  const SlotTable y = SlotTable::build(two, all_up(two));
  std::uint32_t same = 0;
  for (std::uint32_t slot = 0; slot < 4096; ++slot) same += x.base()[slot] == y.base()[slot] ? 1u : 0u;
  EXPECT_NEAR(same / 4096.0, 0.1, 0.03);
}

std::vector<Endpoint> endpoints(const SlotTableSpec& spec) {
  std::vector<Endpoint> result;
  for (const SlotTableMember& m : spec.members) result.push_back(m.endpoint);
  return result;
}

TEST(Digest, tells_tables_by_endpoint_and_not_by_index) {
  SlotTableSpec spec = equal_members(10, 4096);
  const SlotTable table = SlotTable::build(spec, all_up(spec));
  const std::uint64_t before = digest(table.owners(), endpoints(spec));
  std::reverse(spec.members.begin(), spec.members.end());
  const SlotTable reversed = SlotTable::build(spec, all_up(spec));
  EXPECT_EQ(digest(reversed.owners(), endpoints(spec)), before);
}

TEST(Digest, notices_one_owner_of_one_slot) {
  const SlotTableSpec spec = equal_members(10, 4096);
  const SlotTable table = SlotTable::build(spec, all_up(spec));
  std::vector<SlotOwners> owners(table.owners().begin(), table.owners().end());
  const std::uint64_t before = digest(owners, endpoints(spec));
  std::swap(owners[5].primary, owners[5].backup);
  EXPECT_NE(digest(owners, endpoints(spec)), before);
  std::swap(owners[5].primary, owners[5].backup);
  owners[5].backup = kNoMember;
  EXPECT_NE(digest(owners, endpoints(spec)), before);
}

// Nodes of one fleet run different builds for a while: a table must not change without a new kTableVersion.
TEST(Digest, of_a_known_table_is_the_same_on_every_compiler_and_in_every_build) {
  SlotTableSpec spec = equal_members(50, 4096, 42);
  for (std::size_t i = 0; i < 50; ++i) {
    spec.members[i].weight = static_cast<std::uint16_t>(i * i * 26);
    spec.members[i].tier = i < 40 ? 0 : 1;
  }
  std::vector<Standing> standing = all_up(spec);
  for (std::size_t i = 0; i < 50; i += 7) standing[i] = {i % 2 == 0, 20000};
  const SlotTable table = SlotTable::build(spec, standing);
  EXPECT_EQ(kTableVersion, 1u);
  EXPECT_EQ(digest(table.owners(), endpoints(spec)), 0xec267c4abcef0a9cull);
}

}  // namespace
}  // namespace phalanx::core

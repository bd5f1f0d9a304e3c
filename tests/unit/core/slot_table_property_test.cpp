// SPDX-License-Identifier: Apache-2.0
// What must hold of every fleet and every history: seeded, and compared with the plain reference.
#include <gtest/gtest.h>

#include <map>

#include "core/slot_table.hpp"
#include "slot_table_reference.hpp"

namespace phalanx::core {
namespace {

constexpr std::uint64_t kSeeds = 1000;
constexpr int kEvents = 30;

std::vector<SlotOwners> copy(std::span<const SlotOwners> owners) {
  return {owners.begin(), owners.end()};
}

void expect_same(const SlotTable& x, const SlotTable& y) {
  EXPECT_TRUE(std::ranges::equal(x.owners(), y.owners()));
  EXPECT_TRUE(std::ranges::equal(x.base(), y.base()));
  EXPECT_TRUE(std::ranges::equal(x.standing(), y.standing()));
  EXPECT_EQ(x.slots_without_backup(), y.slots_without_backup());
  EXPECT_EQ(x.slots_without_primary(), y.slots_without_primary());
}

// Runs body for many fleets; the seed of a failure is in its message.
template <typename Body>
void for_every_fleet(Body body) {
  for (std::uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomFleet fleet(seed);
    body(fleet);
  }
}

// The one that answers: primary if it is up, else backup.
MemberIndex server(const SlotOwners& owners, std::span<const Standing> standing) {
  return standing[owners.primary].up ? owners.primary : owners.backup;
}

TEST(SlotTableProperty, agrees_with_the_reference) {
  for_every_fleet([](RandomFleet& fleet) {
    const reference::Table expected(fleet.spec());
    const SlotTable table = SlotTable::build(fleet.spec(), fleet.initial());
    EXPECT_TRUE(std::ranges::equal(table.base(), expected.base()));
    EXPECT_EQ(copy(table.owners()), expected.owners(fleet.initial()));
  });
}

TEST(SlotTableProperty, any_history_ends_in_the_table_of_a_fresh_build) {
  for_every_fleet([](RandomFleet& fleet) {
    SlotTable table = SlotTable::build(fleet.spec(), fleet.initial());
    const reference::Table expected(fleet.spec());
    for (int i = 0; i < kEvents; ++i) {
      table.set_standing(fleet.any_member(), fleet.standing());
      EXPECT_EQ(copy(table.owners()), expected.owners(table.standing()));
    }
    expect_same(table, SlotTable::build(fleet.spec(), table.standing()));
  });
}

TEST(SlotTableProperty, a_change_returns_exactly_the_slots_whose_owners_or_server_changed) {
  for_every_fleet([](RandomFleet& fleet) {
    SlotTable table = SlotTable::build(fleet.spec(), fleet.initial());
    for (int i = 0; i < kEvents; ++i) {
      const std::vector<SlotOwners> before = copy(table.owners());
      const std::vector<Standing> standing(table.standing().begin(), table.standing().end());
      std::map<std::uint32_t, SlotOwners> changed;
      std::int64_t last = -1;
      for (const SlotChange& change : table.set_standing(fleet.any_member(), fleet.standing())) {
        EXPECT_GT(change.slot, last);
        last = change.slot;
        changed[change.slot] = change.owners;
        EXPECT_EQ(change.former_server, server(before[change.slot], standing));
      }
      for (std::uint32_t slot = 0; slot < before.size(); ++slot) {
        const MemberIndex serves = server(table.owners()[slot], table.standing());
        EXPECT_EQ(table.server(slot), serves);
        EXPECT_EQ(changed.contains(slot),
                  table.owners()[slot] != before[slot] || serves != server(before[slot], standing));
        if (changed.contains(slot)) {
          EXPECT_EQ(changed[slot], table.owners()[slot]);
        }
      }
    }
  });
}

TEST(SlotTableProperty, the_order_of_members_does_not_matter) {
  for_every_fleet([](RandomFleet& fleet) {
    SlotTableSpec shuffled = fleet.spec();
    std::vector<Standing> standing;
    std::vector<MemberIndex> order(shuffled.members.size());
    std::iota(order.begin(), order.end(), MemberIndex{0});
    std::shuffle(order.begin(), order.end(), std::mt19937_64(fleet.below(1000)));
    for (std::size_t i = 0; i < order.size(); ++i) {
      shuffled.members[i] = fleet.spec().members[order[i]];
      standing.push_back(fleet.initial()[order[i]]);
    }
    const SlotTable table = SlotTable::build(fleet.spec(), fleet.initial());
    const SlotTable other = SlotTable::build(shuffled, standing);
    const auto name = [&](MemberIndex i) { return i == kNoMember ? kNoMember : order[i]; };
    for (std::uint32_t slot = 0; slot < shuffled.slots; ++slot) {
      const SlotOwners& owners = other.owners()[slot];
      EXPECT_EQ(table.owners()[slot],
                (SlotOwners{name(owners.primary), name(owners.backup), name(owners.previous)}));
    }
  });
}

TEST(SlotTableProperty, one_down_moves_only_its_own_slots_to_their_backups_and_recovery_restores_all) {
  for_every_fleet([](RandomFleet& fleet) {
    SlotTable table = SlotTable::build(fleet.spec(), fleet.initial());
    const std::vector<SlotOwners> before = copy(table.owners());
    const MemberIndex victim = fleet.any_member();
    const Standing was = table.standing()[victim];
    if (!was.up) return;
    const std::vector<Standing> standing(table.standing().begin(), table.standing().end());
    table.set_standing(victim, {false, was.admission});
    for (std::uint32_t slot = 0; slot < before.size(); ++slot) {
      if (before[slot].primary == victim) {
        EXPECT_EQ(server(table.owners()[slot], table.standing()), before[slot].backup);
      } else {
        EXPECT_EQ(table.owners()[slot].primary, before[slot].primary);
        const MemberIndex was_server = server(before[slot], standing);
        if (was_server != victim) {
          EXPECT_EQ(server(table.owners()[slot], table.standing()), was_server);
        }
      }
    }
    table.set_standing(victim, was);
    EXPECT_EQ(copy(table.owners()), before);
  });
}

TEST(SlotTableProperty, a_backup_is_up_and_not_primary_and_missing_only_when_nobody_else_is_up) {
  for_every_fleet([](RandomFleet& fleet) {
    const SlotTable table = SlotTable::build(fleet.spec(), fleet.initial());
    std::uint32_t without_backup = 0;
    std::uint32_t without_primary = 0;
    const auto up_count =
        std::count_if(fleet.initial().begin(), fleet.initial().end(), [](const Standing& s) { return s.up; });
    for (const SlotOwners& owners : table.owners()) {
      EXPECT_NE(owners.primary, owners.backup);
      EXPECT_NE(owners.primary, owners.previous);
      const bool primary_up = fleet.initial()[owners.primary].up;
      if (owners.backup == kNoMember) {
        EXPECT_EQ(up_count, primary_up ? 1 : 0);
        ++without_backup;
      } else {
        EXPECT_TRUE(fleet.initial()[owners.backup].up);
      }
      without_primary += primary_up ? 0 : 1;
    }
    EXPECT_EQ(table.slots_without_backup(), without_backup);
    EXPECT_EQ(table.slots_without_primary(), without_primary);
  });
}

TEST(SlotTableProperty, raising_an_admission_only_adds_slots) {
  for_every_fleet([](RandomFleet& fleet) {
    SlotTable table = SlotTable::build(fleet.spec(), fleet.initial());
    const MemberIndex member = fleet.any_member();
    table.set_standing(member, {true, 0});
    for (std::uint32_t admission = 0; admission <= kFullAdmission; admission += kFullAdmission / 16) {
      const std::vector<SlotOwners> before = copy(table.owners());
      table.set_standing(member, {true, admission});
      for (std::uint32_t slot = 0; slot < before.size(); ++slot) {
        if (table.owners()[slot].primary != before[slot].primary) {
          EXPECT_EQ(table.owners()[slot].primary, member);
        }
      }
    }
  });
}

}  // namespace
}  // namespace phalanx::core

// SPDX-License-Identifier: Apache-2.0
// In which order a slot wants the members of a service, standing aside: by tier, members without weight last
// in theirs, then by score. A total order: equal scores fall to the higher hash, then to the lower endpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/score.hpp"
#include "core/slot_table.hpp"

namespace phalanx::core {

// A member's place when all are sorted by (tier, without weight, endpoint). Everything inside the table is
// told by seats, so that the order in which members were listed cannot matter.
using Seat = std::uint16_t;
inline constexpr Seat kNoSeat = 0xffff;

// Neighbouring seats of one tier that all have weight, or all have none.
struct SeatGroup {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  int tier = 0;
  bool weightless = false;
  bool uniform = true;  // all weights equal: the hash alone decides
  // A hash (uniform) or score that a slot's best few seats are likely to reach, and few others.
  std::uint64_t likely_bar = 0;

  std::uint32_t size() const { return end - begin; }
};

// A seat's claim to one slot.
struct Claim {
  std::uint64_t score = 0;  // 0 in a uniform group
  std::uint64_t hash = 0;
  Seat seat = kNoSeat;
};

// Only for seats of one group.
inline bool precedes(const Claim& x, const Claim& y) {
  if (x.score != y.score) return x.score < y.score;
  if (x.hash != y.hash) return x.hash > y.hash;
  return x.seat < y.seat;
}

// Sorts claim into list, best first, whose first `count` are taken; the worst falls off a full one. Returns
// the new count. list is not empty.
std::size_t insert_claim(std::span<Claim> list, std::size_t count, const Claim& claim);

class Ranking {
 public:
  // members: 1 .. 65,534 with different endpoints. If none has weight, every weight counts as 1.
  Ranking(std::span<const SlotTableMember> members, std::uint64_t seed);

  std::uint32_t size() const { return static_cast<std::uint32_t>(keys_.size()); }
  MemberIndex member(Seat seat) const { return members_[seat]; }
  Seat seat(MemberIndex member) const { return seats_[member]; }
  std::uint32_t weight(Seat seat) const { return weights_[seat]; }  // as it counts

  std::span<const SeatGroup> groups() const { return groups_; }
  std::size_t group_of(Seat seat) const { return group_of_[seat]; }
  // The group that the base is made of: the lowest tier that has weight.
  std::size_t base_group() const { return base_group_; }

  std::uint64_t hash(const HashKey& slot, Seat seat) const { return pair_hash(slot, keys_[seat]); }
  std::uint32_t thinning(const HashKey& slot, Seat seat) const { return core::thinning(slot, keys_[seat]); }
  Claim claim(const HashKey& slot, Seat seat) const;

  // Whether the slot wants x before y.
  bool precedes(const HashKey& slot, Seat x, Seat y) const;

  // The first out.size() seats, best first, of the groups first .. last - 1. Returns how many there were.
  std::size_t best(const HashKey& slot, std::size_t first, std::size_t last, std::span<Claim> out) const;

 private:
  void seat_members(std::span<const SlotTableMember> members, std::uint64_t seed);
  void find_groups(std::span<const SlotTableMember> members);
  std::uint64_t find_likely_bar(const SeatGroup& group) const;
  std::size_t best_of(const HashKey& slot, const SeatGroup& group, std::span<Claim> out) const;
  std::size_t best_by_hash(const HashKey& slot, const SeatGroup& group, std::uint64_t bar,
                           std::span<Claim> out) const;
  std::size_t best_by_score(const HashKey& slot, const SeatGroup& group, std::uint64_t bar,
                            std::span<Claim> out) const;

  // By seat; apart from each other because the first two are all that the loops over a group read.
  std::vector<HashKey> keys_;
  std::vector<std::uint64_t> bound_factors_;
  std::vector<std::uint64_t> reciprocals_;
  std::vector<std::uint32_t> weights_;
  std::vector<MemberIndex> members_;
  std::vector<Seat> seats_;
  std::vector<std::uint16_t> group_of_;
  std::vector<SeatGroup> groups_;
  std::size_t base_group_ = 0;
};

}  // namespace phalanx::core

// SPDX-License-Identifier: Apache-2.0
// The rules of core/slot_table.hpp as plainly as they can be written: every succession sorted in full, the
// base settled in rounds. Shares with the real table only the hashes that define a score. And the fleets it
// is compared on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "core/score.hpp"
#include "core/slot_table.hpp"

namespace phalanx::core::reference {

class Table {
 public:
  explicit Table(SlotTableSpec spec) : spec_(std::move(spec)) {
    for (const SlotTableMember& m : spec_.members) keys_.push_back(member_key(m.endpoint, spec_.seed));
    weightless_everywhere_ = std::all_of(spec_.members.begin(), spec_.members.end(),
                                         [](const SlotTableMember& m) { return m.weight == 0; });
    rank_all();
    settle();
    for (std::uint32_t slot = 0; slot < spec_.slots; ++slot) {
      std::vector<MemberIndex>& order = successions_[slot];
      const auto base = std::find(order.begin(), order.end(), base_[slot]);
      std::rotate(order.begin(), base, base + 1);
    }
  }

  const std::vector<MemberIndex>& base() const { return base_; }
  const std::vector<MemberIndex>& succession(std::uint32_t slot) const { return successions_[slot]; }

  std::vector<SlotOwners> owners(std::span<const Standing> standing) const {
    std::vector<SlotOwners> all;
    for (std::uint32_t slot = 0; slot < spec_.slots; ++slot) all.push_back(owners_of(slot, standing));
    return all;
  }

 private:
  std::uint32_t weight(MemberIndex i) const { return weightless_everywhere_ ? 1 : spec_.members[i].weight; }

  auto rank(std::uint32_t slot, MemberIndex i) const {
    const SlotTableMember& m = spec_.members[i];
    const std::uint64_t hash = pair_hash(slot_key(slot), keys_[i]);
    const std::uint64_t score = weighted_score(hash, weight_reciprocal(std::max(weight(i), 1u)));
    return std::tuple(m.tier, weight(i) == 0, score, ~hash, m.endpoint);
  }

  void rank_all() {
    std::vector<MemberIndex> all(spec_.members.size());
    std::iota(all.begin(), all.end(), MemberIndex{0});
    for (std::uint32_t slot = 0; slot < spec_.slots; ++slot) {
      std::vector<MemberIndex> order = all;
      std::sort(order.begin(), order.end(),
                [&](MemberIndex x, MemberIndex y) { return rank(slot, x) < rank(slot, y); });
      successions_.push_back(std::move(order));
    }
  }

  // Who may own a slot of the base, in the order in which this one wants them.
  std::vector<MemberIndex> suitors(std::uint32_t slot) const {
    int tier = 256;
    for (MemberIndex i = 0; i < spec_.members.size(); ++i) {
      if (weight(i) > 0) tier = std::min(tier, spec_.members[i].tier);
    }
    std::vector<MemberIndex> result;
    for (const MemberIndex i : successions_[slot]) {
      if (weight(i) > 0 && spec_.members[i].tier == tier) result.push_back(i);
    }
    return result;
  }

  // Rounds: all slots without owner propose at once, then every member refuses what is too much.
  void settle() {
    std::vector<std::vector<MemberIndex>> wishes;
    for (std::uint32_t slot = 0; slot < spec_.slots; ++slot) wishes.push_back(suitors(slot));
    std::uint64_t total = 0;
    for (const MemberIndex i : wishes[0]) total += weight(i);
    std::vector<std::vector<std::uint32_t>> held(spec_.members.size());
    std::vector<std::size_t> asked(spec_.slots, 0);
    std::vector<std::uint32_t> loose(spec_.slots);
    std::iota(loose.begin(), loose.end(), 0u);
    while (!loose.empty()) {
      for (const std::uint32_t slot : loose) held[wishes[slot].at(asked[slot]++)].push_back(slot);
      loose.clear();
      for (const MemberIndex i : wishes[0]) refuse_surplus(i, total, held[i], loose);
    }
    base_.resize(spec_.slots);
    for (MemberIndex i = 0; i < held.size(); ++i) {
      for (const std::uint32_t slot : held[i]) base_[slot] = i;
    }
  }

  void refuse_surplus(MemberIndex i, std::uint64_t total, std::vector<std::uint32_t>& held,
                      std::vector<std::uint32_t>& refused) const {
    std::size_t capacity = 0;  // the least whole number that is at least 1.02 * slots * weight / total
    const std::uint64_t share = std::uint64_t{102} * spec_.slots * weight(i);
    capacity = share / (100 * total) + (share % (100 * total) != 0 ? 1 : 0);
    const auto key = [&](std::uint32_t slot) {
      return std::pair(~pair_hash(slot_key(slot), keys_[i]), slot);
    };
    std::sort(held.begin(), held.end(), [&](std::uint32_t x, std::uint32_t y) { return key(x) < key(y); });
    while (held.size() > capacity) {
      refused.push_back(held.back());
      held.pop_back();
    }
  }

  SlotOwners owners_of(std::uint32_t slot, std::span<const Standing> standing) const {
    const std::vector<MemberIndex>& order = successions_[slot];
    const auto admitted = [&](MemberIndex i) {
      return standing[i].up && thinning(slot_key(slot), keys_[i]) < standing[i].admission;
    };
    SlotOwners owners;
    const auto first = std::find_if(order.begin(), order.end(), admitted);
    owners.primary = first == order.end() ? base_[slot] : *first;
    for (const MemberIndex i : order) {
      if (owners.backup == kNoMember && i != owners.primary && admitted(i)) owners.backup = i;
    }
    for (const MemberIndex i : order) {
      if (owners.backup == kNoMember && i != owners.primary && standing[i].up) owners.backup = i;
    }
    if (owners.primary != base_[slot]) {
      owners.previous = base_[slot];
    } else if (order.size() > 1) {
      owners.previous = order[1];
    }
    return owners;
  }

  SlotTableSpec spec_;
  std::vector<HashKey> keys_;
  bool weightless_everywhere_ = false;
  std::vector<std::vector<MemberIndex>> successions_;
  std::vector<MemberIndex> base_;
};

}  // namespace phalanx::core::reference

namespace phalanx::core {

// 10.0.0.0/16 by number, every third one 2001:db8::/32.
inline Endpoint endpoint_number(std::uint32_t number) {
  const auto high = static_cast<std::uint8_t>(number >> 8);
  const auto low = static_cast<std::uint8_t>(number);
  Endpoint e;
  e.port = 80;
  if (number % 3 == 2) {
    e.address.family = Family::ipv6;
    e.address.bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low};
  } else {
    e.address.bytes = {10, 0, high, low};
  }
  return e;
}

inline SlotTableSpec equal_members(std::size_t count, std::uint32_t slots, std::uint64_t seed = 1) {
  SlotTableSpec spec;
  spec.slots = slots;
  spec.seed = seed;
  for (std::uint32_t i = 0; i < count; ++i) spec.members.push_back({endpoint_number(i), 100, 0});
  return spec;
}

inline std::vector<Standing> all_up(const SlotTableSpec& spec) {
  return std::vector<Standing>(spec.members.size());
}

// Everything that a fleet can be, small enough for the reference. Reproducible from the seed.
class RandomFleet {
 public:
  explicit RandomFleet(std::uint64_t seed) : random_(seed) {
    weight_kind_ = below(5);
    tiers_ = below(3) == 0 ? 1 + below(3) : 1;
    const std::size_t count = below(4) == 0 ? 1 + below(3) : 1 + below(40);
    for (std::uint32_t i = 0; i < count; ++i) spec_.members.push_back(member(i));
    spec_.slots = 16u << below(5);
    spec_.seed = random_();
    for (std::size_t i = 0; i < count; ++i) standing_.push_back(standing());
  }

  const SlotTableSpec& spec() const { return spec_; }
  const std::vector<Standing>& initial() const { return standing_; }
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }

  SlotTableMember member(std::uint32_t number) {
    return {endpoint_number(number), weight(), static_cast<int>(below(tiers_))};
  }

  MemberIndex any_member() {
    return static_cast<MemberIndex>(below(static_cast<std::uint32_t>(spec_.members.size())));
  }

  Standing standing() {
    switch (below(8)) {
      case 0:
      case 1:
        return {false, kFullAdmission};
      case 2:
        return {true, 0};
      case 3:
        return {below(2) == 0, below(kFullAdmission)};
      default:
        return {};
    }
  }

 private:
  std::uint16_t weight() {
    constexpr std::uint16_t extremes[] = {0, 1, 100, 65535};
    switch (weight_kind_) {
      case 0:
        return static_cast<std::uint16_t>(below(65536));
      case 1:
        return extremes[below(4)];
      case 2:
        return below(4) == 0 ? 0 : 100;
      case 3:
        return 0;
      default:
        return 100;
    }
  }

  std::mt19937_64 random_;
  std::uint32_t weight_kind_ = 0;
  std::uint32_t tiers_ = 1;
  SlotTableSpec spec_;
  std::vector<Standing> standing_;
};

}  // namespace phalanx::core

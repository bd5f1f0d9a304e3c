// SPDX-License-Identifier: Apache-2.0
#include "core/ranking.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "core/result.hpp"

namespace phalanx::core {

std::size_t insert_claim(std::span<Claim> list, std::size_t count, const Claim& claim) {
  const bool full = count == list.size();
  std::size_t place = full ? count - 1 : count;
  if (full && precedes(list[place], claim)) return count;
  for (; place > 0 && precedes(claim, list[place - 1]); --place) list[place] = list[place - 1];
  list[place] = claim;
  return full ? count : count + 1;
}

Ranking::Ranking(std::span<const SlotTableMember> members, std::uint64_t seed) {
  PHX_CHECK(!members.empty() && members.size() < kNoMember);
  seat_members(members, seed);
  find_groups(members);
}

void Ranking::seat_members(std::span<const SlotTableMember> members, std::uint64_t seed) {
  const bool weighted =
      std::any_of(members.begin(), members.end(), [](const auto& m) { return m.weight != 0; });
  const auto order = [&](MemberIndex i) {
    const SlotTableMember& m = members[i];
    return std::tuple(m.tier, weighted && m.weight == 0, std::cref(m.endpoint));
  };
  members_.resize(members.size());
  std::iota(members_.begin(), members_.end(), MemberIndex{0});
  std::sort(members_.begin(), members_.end(),
            [&](MemberIndex x, MemberIndex y) { return order(x) < order(y); });
  seats_.resize(members.size());
  for (std::size_t seat = 0; seat < members_.size(); ++seat) {
    const SlotTableMember& m = members[members_[seat]];
    const std::uint32_t weight = weighted ? m.weight : 1;
    seats_[members_[seat]] = static_cast<Seat>(seat);
    weights_.push_back(weight);
    keys_.push_back({member_key(m.endpoint, seed), weight_reciprocal(std::max(weight, 1u))});
  }
}

void Ranking::find_groups(std::span<const SlotTableMember> members) {
  for (std::uint32_t seat = 0; seat < size(); ++seat) {
    const int tier = members[members_[seat]].tier;
    const bool weightless = weights_[seat] == 0;
    if (groups_.empty() || groups_.back().tier != tier || groups_.back().weightless != weightless) {
      groups_.push_back({seat, seat, tier, weightless, true});
    }
    SeatGroup& group = groups_.back();
    group.end = seat + 1;
    group.uniform = group.uniform && weights_[seat] == weights_[group.begin];
    group_of_.push_back(static_cast<std::uint16_t>(groups_.size() - 1));
  }
  while (groups_[base_group_].weightless) ++base_group_;
}

Claim Ranking::claim(const HashKey& slot, Seat seat) const {
  const std::uint64_t h = hash(slot, seat);
  const bool uniform = groups_[group_of_[seat]].uniform;
  return {uniform ? 0 : weighted_score(h, keys_[seat].reciprocal), h, seat};
}

bool Ranking::precedes(const HashKey& slot, Seat x, Seat y) const {
  if (group_of_[x] != group_of_[y]) return x < y;
  return core::precedes(claim(slot, x), claim(slot, y));
}

std::size_t Ranking::best(const HashKey& slot, std::size_t first, std::size_t last,
                          std::span<Claim> out) const {
  std::size_t count = 0;
  for (std::size_t g = first; g < last && count < out.size(); ++g) {
    const auto rest = out.subspan(count);
    count +=
        groups_[g].uniform ? best_by_hash(slot, groups_[g], rest) : best_by_score(slot, groups_[g], rest);
  }
  return count;
}

std::size_t Ranking::best_by_hash(const HashKey& slot, const SeatGroup& group, std::span<Claim> out) const {
  std::size_t count = 0;
  std::uint32_t seat = group.begin;
  for (; seat < group.end && count < out.size(); ++seat) {
    count = insert_claim(out, count, {0, hash(slot, static_cast<Seat>(seat)), static_cast<Seat>(seat)});
  }
  std::uint64_t bar = out[count - 1].hash;
  for (; seat < group.end; ++seat) {
    const std::uint64_t h = pair_hash(slot, keys_[seat].key);
    if (h <= bar) continue;  // an equal hash falls to the lower seat, which came before
    insert_claim(out, count, {0, h, static_cast<Seat>(seat)});
    bar = out[count - 1].hash;
  }
  return count;
}

// Hardly any member reaches the best few, so a bound keeps the logarithm out of the loop.
std::size_t Ranking::best_by_score(const HashKey& slot, const SeatGroup& group, std::span<Claim> out) const {
  std::size_t count = 0;
  std::uint64_t bar = ~std::uint64_t{0};
  for (std::uint32_t seat = group.begin; seat < group.end; ++seat) {
    const SeatKey& key = keys_[seat];
    const std::uint64_t h = pair_hash(slot, key.key);
    if (weighted_score_bound(h, key.reciprocal) > bar) continue;
    count = insert_claim(out, count, {weighted_score(h, key.reciprocal), h, static_cast<Seat>(seat)});
    if (count == out.size()) bar = out[count - 1].score;
  }
  return count;
}

}  // namespace phalanx::core

// SPDX-License-Identifier: Apache-2.0
#include "core/ranking.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <tuple>

#include "core/result.hpp"

namespace phalanx::core {
namespace {

// How many seats of a group are expected to reach its likely bar. Twice the eight candidates that tables ask
// for: fewer than one slot in 50 then finds too few and has to look at all.
constexpr std::uint64_t kLikelySeats = 16;

constexpr std::uint64_t kAllOnes = ~std::uint64_t{0};

// Calls take for every seat of the group that passes, in order. That is decided without branches for a chunk
// of seats at a time: which ones pass is as good as random, and a mispredicted branch costs as much as
// several hashes.
template <typename Passes, typename Take>
void sieve(const SeatGroup& group, Passes passes, Take take) {
  constexpr std::uint32_t kChunk = 64;
  std::array<std::uint32_t, kChunk> passed;
  for (std::uint32_t begin = group.begin; begin < group.end; begin += kChunk) {
    const std::uint32_t end = std::min(begin + kChunk, group.end);
    std::size_t count = 0;
    for (std::uint32_t seat = begin; seat < end; ++seat) {
      passed[count] = seat;
      count += passes(seat) ? 1u : 0u;
    }
    for (std::size_t i = 0; i < count; ++i) take(static_cast<Seat>(passed[i]));
  }
}

}  // namespace

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
    keys_.push_back(member_key(m.endpoint, seed));
    reciprocals_.push_back(weight_reciprocal(std::max(weight, 1u)));
    bound_factors_.push_back(weighted_score_bound_factor(reciprocals_.back()));
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
  for (SeatGroup& group : groups_) group.likely_bar = find_likely_bar(group);
}

// Only a matter of speed. A score of at most x has probability of about weight * x, until that exceeds 1.
std::uint64_t Ranking::find_likely_bar(const SeatGroup& group) const {
  if (group.size() <= kLikelySeats) return group.uniform ? 0 : kAllOnes;
  if (group.uniform) return kAllOnes - kAllOnes / group.size() * kLikelySeats;
  std::uint64_t bar = 0;
  for (std::uint64_t bit = 1ull << 62; bit != 0; bit >>= 1) {
    std::uint64_t expected = 0;  // in units of 2^-32
    for (std::uint32_t seat = group.begin; seat < group.end; ++seat) {
      expected +=
          std::min(multiply_high(bar | bit, std::uint64_t{weights_[seat]} << 39), std::uint64_t{1} << 32);
    }
    if (expected <= kLikelySeats << 32) bar |= bit;
  }
  return bar;
}

Claim Ranking::claim(const HashKey& slot, Seat seat) const {
  const std::uint64_t h = hash(slot, seat);
  const bool uniform = groups_[group_of_[seat]].uniform;
  return {uniform ? 0 : weighted_score(h, reciprocals_[seat]), h, seat};
}

bool Ranking::precedes(const HashKey& slot, Seat x, Seat y) const {
  if (group_of_[x] != group_of_[y]) return x < y;
  return core::precedes(claim(slot, x), claim(slot, y));
}

std::size_t Ranking::best(const HashKey& slot, std::size_t first, std::size_t last,
                          std::span<Claim> out) const {
  std::size_t count = 0;
  for (std::size_t g = first; g < last && count < out.size(); ++g) {
    count += best_of(slot, groups_[g], out.subspan(count));
  }
  return count;
}

std::size_t Ranking::best_of(const HashKey& slot, const SeatGroup& group, std::span<Claim> out) const {
  if (group.uniform) {
    const std::size_t count = best_by_hash(slot, group, group.likely_bar, out);
    const bool enough = count == std::min<std::size_t>(out.size(), group.size());
    return enough ? count : best_by_hash(slot, group, 0, out);
  }
  const std::size_t count = best_by_score(slot, group, group.likely_bar, out);
  // Seats that were sieved out score more than the bar: the last one taken must not.
  const bool enough =
      count == std::min<std::size_t>(out.size(), group.size()) && out[count - 1].score <= group.likely_bar;
  return enough ? count : best_by_score(slot, group, kAllOnes, out);
}

std::size_t Ranking::best_by_hash(const HashKey& slot, const SeatGroup& group, std::uint64_t bar,
                                  std::span<Claim> out) const {
  std::size_t count = 0;
  sieve(
      group, [&](std::uint32_t seat) { return pair_hash(slot, keys_[seat]) >= bar; },
      [&](Seat seat) {
        count = insert_claim(out, count, {0, pair_hash(slot, keys_[seat]), seat});
        if (count == out.size()) bar = std::max(bar, out[count - 1].hash);
      });
  return count;
}

// A bound keeps the logarithm out of the sieve.
std::size_t Ranking::best_by_score(const HashKey& slot, const SeatGroup& group, std::uint64_t bar,
                                   std::span<Claim> out) const {
  std::size_t count = 0;
  sieve(
      group,
      [&](std::uint32_t seat) {
        return weighted_score_bound(pair_hash(slot, keys_[seat]), bound_factors_[seat]) <= bar;
      },
      [&](Seat seat) {
        const std::uint64_t h = pair_hash(slot, keys_[seat]);
        count = insert_claim(out, count, {weighted_score(h, reciprocals_[seat]), h, seat});
        if (count == out.size()) bar = std::min(bar, out[count - 1].score);
      });
  return count;
}

}  // namespace phalanx::core

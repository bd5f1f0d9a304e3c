// SPDX-License-Identifier: Apache-2.0
#include "core/capped_rendezvous.hpp"

#include <algorithm>
#include <unordered_map>

#include "core/result.hpp"

namespace phalanx::core {
namespace {

constexpr std::uint32_t kNoSlot = 0xffffffff;

struct Proposal {
  std::uint64_t hash = 0;
  std::uint32_t slot = 0;
};

bool preferred(const Proposal& x, const Proposal& y) {
  return x.hash != y.hash ? x.hash > y.hash : x.slot < y.slot;
}

// What one member holds. A heap once it is full, the least wanted proposal in front.
class Holding {
 public:
  explicit Holding(std::size_t capacity) : capacity_(capacity) {}

  // Returns the slot that is refused for it: kNoSlot, the proposal's own, or a former one.
  std::uint32_t accept(const Proposal& proposal) {
    if (held_.size() < capacity_) {
      held_.push_back(proposal);
      if (held_.size() == capacity_) std::make_heap(held_.begin(), held_.end(), preferred);
      return kNoSlot;
    }
    if (preferred(held_.front(), proposal)) return proposal.slot;
    std::pop_heap(held_.begin(), held_.end(), preferred);
    const std::uint32_t refused = held_.back().slot;
    held_.back() = proposal;
    std::push_heap(held_.begin(), held_.end(), preferred);
    return refused;
  }

  std::span<const Proposal> held() const { return held_; }

 private:
  std::size_t capacity_;
  std::vector<Proposal> held_;
};

class Settlement {
 public:
  Settlement(const Ranking& ranking, std::span<const CandidateRow> candidates)
      : ranking_(ranking),
        group_(ranking.groups()[ranking.base_group()]),
        candidates_(candidates),
        next_(candidates.size(), 0) {
    std::uint64_t total = 0;
    for (std::uint32_t seat = group_.begin; seat < group_.end; ++seat) total += weight(seat);
    const auto slots = static_cast<std::uint32_t>(candidates.size());
    for (std::uint32_t seat = group_.begin; seat < group_.end; ++seat) {
      holdings_.emplace_back(slot_capacity(slots, weight(seat), total));
    }
  }

  std::vector<Seat> settle() {
    for (std::uint32_t slot = 0; slot < candidates_.size(); ++slot) {
      for (std::uint32_t refused = slot; refused != kNoSlot;) refused = propose(refused);
    }
    std::vector<Seat> base(candidates_.size(), kNoSeat);
    for (std::uint32_t seat = group_.begin; seat < group_.end; ++seat) {
      for (const Proposal& p : holdings_[seat - group_.begin].held()) base[p.slot] = static_cast<Seat>(seat);
    }
    return base;
  }

 private:
  std::uint32_t weight(std::uint32_t seat) const { return ranking_.weight(static_cast<Seat>(seat)); }

  std::uint32_t propose(std::uint32_t slot) {
    const HashKey key = slot_key(slot);
    const Seat seat = next_seat(slot, key);
    return holdings_[seat - group_.begin].accept({ranking_.hash(key, seat), slot});
  }

  Seat next_seat(std::uint32_t slot, const HashKey& key) {
    const std::size_t place = next_[slot]++;
    // All capacities together exceed the slots, so the last member to be asked cannot refuse.
    PHX_CHECK(place < group_.size());
    if (place < kCandidates) return candidates_[slot][place];
    std::vector<Seat>& further = further_[slot];
    if (place >= further.size()) further = rank_further(key, place);
    return further[place];
  }

  // The first seats of the slot's ranking, more than `place` of them.
  std::vector<Seat> rank_further(const HashKey& key, std::size_t place) const {
    std::vector<Claim> claims;
    for (std::uint32_t seat = group_.begin; seat < group_.end; ++seat) {
      claims.push_back(ranking_.claim(key, static_cast<Seat>(seat)));
    }
    const std::size_t count = std::min(claims.size(), place * 8);
    std::partial_sort(claims.begin(), claims.begin() + static_cast<std::ptrdiff_t>(count), claims.end(),
                      [](const Claim& x, const Claim& y) { return precedes(x, y); });
    std::vector<Seat> seats;
    for (std::size_t i = 0; i < count; ++i) seats.push_back(claims[i].seat);
    return seats;
  }

  const Ranking& ranking_;
  const SeatGroup& group_;
  std::span<const CandidateRow> candidates_;
  std::vector<std::uint16_t> next_;  // how many members each slot has asked
  std::vector<Holding> holdings_;
  std::unordered_map<std::uint32_t, std::vector<Seat>> further_;  // for slots that all candidates refused
};

}  // namespace

std::uint64_t slot_capacity(std::uint32_t slots, std::uint32_t weight, std::uint64_t total) {
  const std::uint64_t share = std::uint64_t{102} * slots * weight;
  return (share + 100 * total - 1) / (100 * total);
}

std::vector<Seat> capped_rendezvous(const Ranking& ranking, std::span<const CandidateRow> candidates) {
  return Settlement(ranking, candidates).settle();
}

}  // namespace phalanx::core

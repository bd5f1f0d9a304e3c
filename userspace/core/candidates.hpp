// SPDX-License-Identifier: Apache-2.0
// The members that each slot wants most, kept so that almost no question needs the scores of all of them.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "core/ranking.hpp"

namespace phalanx::core {

// Seats in the order of the ranking, best first; kNoSeat behind the last member of a small service.
// Eight, because then with a fifth of the members down fewer than one slot in 10,000 has to look further.
inline constexpr std::size_t kCandidates = 8;
using CandidateRow = std::array<Seat, kCandidates>;

// One row for each slot, of all members. Costs slots * members hashes.
std::vector<CandidateRow> find_candidates(const Ranking& ranking, std::uint32_t slots);

// The same, of the base's group only.
std::vector<CandidateRow> find_base_candidates(const Ranking& ranking, std::uint32_t slots);

// What find_candidates(ranking, slots) would return, from the rows of another ranking with the same seed and
// as many slots. Only members that joined, or whose weight or tier changed, and slots that lost a candidate
// are scored anew. seat_now: for each seat of the former ranking its seat in `ranking`, or kNoSeat if it left
// or changed.
std::vector<CandidateRow> carry_candidates(const Ranking& ranking, std::span<const CandidateRow> former,
                                           std::span<const Seat> seat_now);

// Whether row names seat. Four seats at a time: tables are searched row by row.
inline bool names(const CandidateRow& row, Seat seat) {
  constexpr std::uint64_t kOnes = 0x0001000100010001;
  std::array<std::uint64_t, 2> words;
  static_assert(sizeof words == sizeof row);
  std::memcpy(words.data(), row.data(), sizeof words);
  std::uint64_t zeros = 0;  // the top bit of a lane that is zero after the exclusive or
  for (const std::uint64_t word : words) {
    const std::uint64_t difference = word ^ (kOnes * seat);
    zeros |= (difference - kOnes) & ~difference & (kOnes << 15);
  }
  return zeros != 0;
}

}  // namespace phalanx::core

// SPDX-License-Identifier: Apache-2.0
#include "core/candidates.hpp"

#include <algorithm>

namespace phalanx::core {
namespace {

CandidateRow find_row(const Ranking& ranking, std::uint32_t slot, std::size_t first, std::size_t last) {
  std::array<Claim, kCandidates> claims;
  const std::size_t count = ranking.best(slot_key(slot), first, last, claims);
  CandidateRow row;
  row.fill(kNoSeat);
  for (std::size_t i = 0; i < count; ++i) row[i] = claims[i].seat;
  return row;
}

std::vector<CandidateRow> find_rows(const Ranking& ranking, std::uint32_t slots, std::size_t first,
                                    std::size_t last) {
  std::vector<CandidateRow> rows(slots);
  for (std::uint32_t slot = 0; slot < slots; ++slot) rows[slot] = find_row(ranking, slot, first, last);
  return rows;
}

// Seats that no member of the former ranking became.
std::vector<Seat> find_joined(const Ranking& ranking, std::span<const Seat> seat_now) {
  std::vector<bool> known(ranking.size(), false);
  for (const Seat seat : seat_now) {
    if (seat != kNoSeat) known[seat] = true;
  }
  std::vector<Seat> joined;
  for (std::uint32_t seat = 0; seat < ranking.size(); ++seat) {
    if (!known[seat]) joined.push_back(static_cast<Seat>(seat));
  }
  return joined;
}

// Tells the row by today's seats; false if one of them is gone.
bool reseat(CandidateRow& row, std::span<const Seat> seat_now) {
  bool whole = true;
  for (Seat& seat : row) {
    if (seat == kNoSeat) break;
    seat = seat_now[seat];
    whole = whole && seat != kNoSeat;
  }
  return whole;
}

void offer(CandidateRow& row, const Ranking& ranking, const HashKey& slot, Seat joined) {
  const auto better = [&](Seat kept) { return kept != kNoSeat && ranking.precedes(slot, kept, joined); };
  if (better(row.back())) return;
  const auto place = std::partition_point(row.begin(), row.end(), better);
  std::move_backward(place, row.end() - 1, row.end());
  *place = joined;
}

}  // namespace

std::vector<CandidateRow> find_candidates(const Ranking& ranking, std::uint32_t slots) {
  return find_rows(ranking, slots, 0, ranking.groups().size());
}

std::vector<CandidateRow> find_base_candidates(const Ranking& ranking, std::uint32_t slots) {
  return find_rows(ranking, slots, ranking.base_group(), ranking.base_group() + 1);
}

std::vector<CandidateRow> carry_candidates(const Ranking& ranking, std::span<const CandidateRow> former,
                                           std::span<const Seat> seat_now) {
  const std::vector<Seat> joined = find_joined(ranking, seat_now);
  std::vector<CandidateRow> rows(former.begin(), former.end());
  for (std::uint32_t slot = 0; slot < rows.size(); ++slot) {
    if (!reseat(rows[slot], seat_now)) {
      rows[slot] = find_row(ranking, slot, 0, ranking.groups().size());
      continue;
    }
    const HashKey key = slot_key(slot);
    for (const Seat seat : joined) offer(rows[slot], ranking, key, seat);
  }
  return rows;
}

}  // namespace phalanx::core

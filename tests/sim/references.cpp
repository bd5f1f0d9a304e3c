// SPDX-License-Identifier: Apache-2.0
#include "sim/references.hpp"

#include <algorithm>
#include <cmath>

namespace phalanx::sim {

std::vector<Number> maglev(const std::vector<Candidate>& up, std::uint32_t slots) {
  struct Turn {
    Candidate who;
    std::uint64_t next;
    std::uint64_t skip;
    std::uint64_t credit;
  };
  std::vector<Turn> turns;
  std::uint32_t heaviest = 0;
  for (const Candidate& c : up) {
    if (c.weight == 0) continue;
    heaviest = std::max(heaviest, c.weight);
    turns.push_back({c, mix(c.number) % slots, mix(~std::uint64_t{c.number}) % (slots - 1) + 1, 0});
  }
  std::vector<Number> table(slots, kNobody);
  std::uint32_t filled = 0;
  while (filled < slots && !turns.empty()) {
    for (Turn& turn : turns) {
      turn.credit += turn.who.weight;
      if (turn.credit < heaviest) continue;
      turn.credit -= heaviest;
      while (table[turn.next] != kNobody) turn.next = (turn.next + turn.skip) % slots;
      table[turn.next] = turn.who.number;
      if (++filled == slots) break;
    }
  }
  return table;
}

std::vector<Number> rendezvous(const std::vector<Candidate>& up, std::uint32_t slots) {
  const bool equal =
      std::ranges::all_of(up, [&](const Candidate& c) { return c.weight == up.front().weight; });
  std::vector<Number> table(slots, kNobody);
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    double least = 0;
    for (const Candidate& c : up) {
      if (c.weight == 0) continue;
      const std::uint64_t hash = mix(mix(slot) ^ mix(~std::uint64_t{c.number}));
      const double u = (static_cast<double>(hash >> 11) + 1) * 0x1p-53;
      // Of equal weights the highest hash wins; the logarithm would only cost time.
      const double score = equal ? 1 - u : -std::log(u) / c.weight;
      if (table[slot] == kNobody || score < least) {
        least = score;
        table[slot] = c.number;
      }
    }
  }
  return table;
}

}  // namespace phalanx::sim

// SPDX-License-Identifier: Apache-2.0
// When each entry is probed next, and which attempt is out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/layout.hpp"

namespace phalanx::core {

// Probes begin in ticks: a loop that wakes for each of a thousand probes spends more on waking than on
// probing.
inline constexpr std::chrono::milliseconds kTick{5};

// An entry is probed every interval, counted from begin to begin, at a phase that its identity decides, so
// that a thousand checks of one interval spread over it and two nodes do not probe in step by accident of
// their start. One attempt at a time: when the last one is still out (the loop was late), a turn is left out.
class ProbeSchedule {
 public:
  struct Due {
    std::uint64_t attempt;
    EntryIndex entry;
  };

  // The first probe comes within one interval of now, at the phase given (0 .. 2^32-1 maps to the interval).
  void add(EntryIndex entry, std::chrono::milliseconds interval, std::uint32_t phase, SteadyTime now);
  // Forgets the entry and its attempt; its outcome, if it still comes, names nothing.
  void remove(EntryIndex entry);
  bool contains(EntryIndex entry) const { return timings_.contains(entry); }

  // When take_due() has something to give, if ever.
  std::optional<SteadyTime> wake_at() const;
  // The probes to begin now, in order of their times.
  std::vector<Due> take_due(SteadyTime now);

  // Which entry an outcome is about; the attempt is over. None for abandoned and unknown attempts.
  std::optional<EntryIndex> finish(std::uint64_t attempt);

 private:
  struct Timing {
    std::chrono::milliseconds interval;
    SteadyTime next;
    std::optional<std::uint64_t> out;
  };

  std::unordered_map<EntryIndex, Timing> timings_;
  std::set<std::pair<SteadyTime, EntryIndex>> queue_;
  std::unordered_map<std::uint64_t, EntryIndex> attempts_;
  std::uint64_t last_attempt_ = 0;
};

}  // namespace phalanx::core

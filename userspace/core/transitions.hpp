// SPDX-License-Identifier: Apache-2.0
// The recent changes of one service's slots: who held a slot before, and until when its flows are remembered
// one by one. A slot that nothing has changed costs nothing here and no look-up a packet.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "core/layout.hpp"

namespace phalanx::core {

struct Transition {
  EntryIndex previous = kNoEntry;  // the former primary
  SteadyTime until;                // end of the window
};

// Slots are numbered within their service.
class Transitions {
 public:
  // The slot's primary was `former` and is another one now. A slot that is tracked already names the last
  // former primary from here on (flows of earlier ones are remembered by then), and its window begins anew.
  void begin(std::uint32_t slot, EntryIndex former, SteadyTime until) { slots_[slot] = {former, until}; }

  // None: the slot is not tracked.
  const Transition* find(std::uint32_t slot) const;
  std::size_t size() const { return slots_.size(); }
  bool empty() const { return slots_.empty(); }
  const std::map<std::uint32_t, Transition>& slots() const { return slots_; }

  // Ends, and returns in rising order, the slots whose window is over at `now` and that `may_end` lets go:
  // those whose previous is not draining and that have no remembered flow elsewhere than on their primary.
  std::vector<std::uint32_t> end(SteadyTime now,
                                 const std::function<bool(std::uint32_t slot, EntryIndex previous)>& may_end);

  // Ends, and returns in rising order, the slots whose previous is `previous`, which is given up.
  std::vector<std::uint32_t> forget(EntryIndex previous);

 private:
  std::map<std::uint32_t, Transition> slots_;
};

}  // namespace phalanx::core

// SPDX-License-Identifier: Apache-2.0
// The recent changes of one service's slots: who held a slot before, and until when its flows are remembered
// one by one. A slot that nothing has changed costs no look-up a packet, and a service without recent changes
// no memory here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "core/layout.hpp"

namespace phalanx::core {

struct Transition {
  EntryIndex previous = kNoEntry;  // who served the slot before its changes; kNoEntry when it is dead since
  bool tracked = false;            // without it the slot has none
  SteadyTime until;                // end of the window
};

// Slots are numbered within their service.
class Transitions {
 public:
  // The slot was served by `former` and is by another one now. Its window begins anew. A slot that is tracked
  // already goes on naming who served it before all of its changes: flows of those that served it since began
  // while it was tracked, so they are remembered; the only ones that are not have been silent since before.
  void begin(std::uint32_t slot, EntryIndex former, SteadyTime until);
  // The same when the former one is dead: nothing of its flows is left to be found, so that an earlier
  // previous stays.
  void begin_after_death(std::uint32_t slot, SteadyTime until);

  // None: the slot is not tracked.
  const Transition* find(std::uint32_t slot) const;
  std::size_t size() const { return tracked_; }
  bool empty() const { return tracked_ == 0; }

  // Ends, and returns in rising order, the slots whose window is over at `now` and that `may_end` lets go:
  // those whose previous is not draining and that have no remembered flow elsewhere than on their primary.
  std::vector<std::uint32_t> end(SteadyTime now,
                                 const std::function<bool(std::uint32_t slot, EntryIndex previous)>& may_end);

  // `previous` is dead or given up: no slot names it any longer. Its flows move, and are where the slot sends
  // them from then on, also when it comes back. Returns the slots, in rising order; they stay tracked, for
  // flows of others may be remembered.
  std::vector<std::uint32_t> lose(EntryIndex previous);

 private:
  Transition& track(std::uint32_t slot, SteadyTime until);
  void release(EntryIndex previous);  // one slot less names it

  std::map<EntryIndex, std::size_t> naming_;  // how many slots name each previous
  // By slot, as far as one was tracked: a failure touches hundreds at once, for which nodes are too slow.
  std::vector<Transition> slots_;
  std::size_t tracked_ = 0;
};

}  // namespace phalanx::core

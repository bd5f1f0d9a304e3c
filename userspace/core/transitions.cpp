// SPDX-License-Identifier: Apache-2.0
#include "core/transitions.hpp"

#include <algorithm>

namespace phalanx::core {

const Transition* Transitions::find(std::uint32_t slot) const {
  const auto found = slots_.find(slot);
  return found == slots_.end() ? nullptr : &found->second;
}

void Transitions::begin(std::uint32_t slot, EntryIndex former, SteadyTime until) {
  Transition& transition = slots_[slot];
  transition.until = until;
  if (transition.previous == kNoEntry && former != kNoEntry) {
    transition.previous = former;
    ++naming_[former];
  }
}

void Transitions::begin_after_death(std::uint32_t slot, SteadyTime until) {
  slots_[slot].until = until;
}

void Transitions::release(EntryIndex previous) {
  const auto named = naming_.find(previous);
  if (named != naming_.end() && --named->second == 0) {
    naming_.erase(named);
  }
}

std::vector<std::uint32_t> Transitions::end(
    SteadyTime now, const std::function<bool(std::uint32_t slot, EntryIndex previous)>& may_end) {
  std::vector<std::uint32_t> ended;
  for (auto it = slots_.begin(); it != slots_.end();) {
    if (it->second.until > now || !may_end(it->first, it->second.previous)) {
      ++it;
      continue;
    }
    ended.push_back(it->first);
    release(it->second.previous);
    it = slots_.erase(it);
  }
  return ended;
}

std::vector<std::uint32_t> Transitions::lose(EntryIndex previous) {
  std::vector<std::uint32_t> lost;
  if (naming_.erase(previous) == 0) {
    return lost;
  }
  for (auto& [slot, transition] : slots_) {
    if (transition.previous == previous) {
      transition.previous = kNoEntry;
      lost.push_back(slot);
    }
  }
  return lost;
}

}  // namespace phalanx::core

// SPDX-License-Identifier: Apache-2.0
#include "core/transitions.hpp"

#include <algorithm>
#include <bit>

namespace phalanx::core {

const Transition* Transitions::find(std::uint32_t slot) const {
  return slot < slots_.size() && slots_[slot].tracked ? &slots_[slot] : nullptr;
}

Transition& Transitions::track(std::uint32_t slot, SteadyTime until) {
  if (slot >= slots_.size()) {
    slots_.resize(std::bit_ceil(std::size_t{slot} + 1));  // tables have a power of two
  }
  Transition& transition = slots_[slot];
  tracked_ += transition.tracked ? 0u : 1u;
  transition.tracked = true;
  transition.until = until;
  return transition;
}

void Transitions::begin(std::uint32_t slot, EntryIndex former, SteadyTime until) {
  Transition& transition = track(slot, until);
  if (transition.previous == kNoEntry && former != kNoEntry) {
    transition.previous = former;
    ++naming_[former];
  }
}

void Transitions::begin_after_death(std::uint32_t slot, SteadyTime until) {
  track(slot, until);
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
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
    Transition& transition = slots_[slot];
    if (!transition.tracked || transition.until > now || !may_end(slot, transition.previous)) {
      continue;
    }
    ended.push_back(slot);
    release(transition.previous);
    transition = {};
  }
  tracked_ -= ended.size();
  if (tracked_ == 0) {
    slots_ = {};
  }
  return ended;
}

std::vector<std::uint32_t> Transitions::lose(EntryIndex previous) {
  std::vector<std::uint32_t> lost;
  const auto named = naming_.extract(previous);
  const std::size_t count = named ? named.mapped() : 0;
  for (std::uint32_t slot = 0; lost.size() < count && slot < slots_.size(); ++slot) {
    if (slots_[slot].previous == previous) {
      slots_[slot].previous = kNoEntry;
      lost.push_back(slot);
    }
  }
  return lost;
}

}  // namespace phalanx::core

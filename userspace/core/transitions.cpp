// SPDX-License-Identifier: Apache-2.0
#include "core/transitions.hpp"

#include <algorithm>

namespace phalanx::core {

const Transition* Transitions::find(std::uint32_t slot) const {
  const auto found = slots_.find(slot);
  return found == slots_.end() ? nullptr : &found->second;
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
    it = slots_.erase(it);
  }
  return ended;
}

std::vector<std::uint32_t> Transitions::forget(EntryIndex previous) {
  std::vector<std::uint32_t> ended;
  std::erase_if(slots_, [&](const auto& slot) {
    if (slot.second.previous != previous) {
      return false;
    }
    ended.push_back(slot.first);
    return true;
  });
  return ended;
}

}  // namespace phalanx::core

// SPDX-License-Identifier: Apache-2.0
#include "core/health.hpp"

#include "core/result.hpp"

namespace phalanx::core {

bool HealthState::observe(Verdict verdict, int rise, int fall) {
  PHX_CHECK(rise >= 1 && fall >= 1);
  if (verdict == Verdict::inconclusive) return false;
  const Health seen = verdict == Verdict::pass ? Health::up : Health::down;
  if (seen == health_) {
    streak_ = 0;
    return false;
  }
  ++streak_;
  const int needed = health_ == Health::unknown ? 1 : seen == Health::up ? rise : fall;
  if (streak_ < needed) return false;
  health_ = seen;
  streak_ = 0;
  return true;
}

bool HostState::observe(Verdict verdict, bool heard, int fall) {
  PHX_CHECK(fall >= 1);
  if (verdict == Verdict::inconclusive) return false;
  silent_ = heard ? 0 : silent_ + 1;
  const bool before = answers_;
  answers_ = heard || (answers_ && silent_ < fall);
  return answers_ != before;
}

}  // namespace phalanx::core

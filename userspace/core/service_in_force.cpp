// SPDX-License-Identifier: Apache-2.0
#include "core/service_in_force.hpp"

#include <algorithm>

namespace phalanx::core {

namespace {

// A slow start rises in this many steps, the first of which is taken at once.
constexpr std::uint32_t kRampSteps = 16;

// How many steps of its ramp a member has taken; kRampSteps when it is over.
std::uint32_t ramp_step(const MemberInForce& member, std::chrono::milliseconds slow_start, SteadyTime now) {
  if (!member.ramps_from || slow_start.count() == 0 || now - *member.ramps_from >= slow_start) {
    return kRampSteps;
  }
  return static_cast<std::uint32_t>((now - *member.ramps_from) * kRampSteps / slow_start);
}

}  // namespace

SlotStore ServiceInForce::row(std::uint32_t slot) const {
  const SlotOwners& owners = table->owners()[slot];
  SlotStore store{.row = rows.region.offset + slot,
                  .primary = entry_of(owners.primary),
                  .backup = entry_of(owners.backup),
                  .previous = entry_of(owners.previous),
                  .tracked = false};
  if (const Transition* transition = transitions.find(slot)) {
    store.previous = transition->previous;
    store.tracked = true;
  }
  return store;
}

void ServiceInForce::begin_transition(std::uint32_t slot, EntryIndex former, SteadyTime now) {
  if (config.track == Track::none) {
    return;
  }
  if (former == kNoEntry) {
    transitions.begin_after_death(slot, now + config.transition);
  } else {
    transitions.begin(slot, former, now + config.transition);
  }
}

std::uint32_t ServiceInForce::admission(MemberIndex index, bool passed_a_probe, SteadyTime now) const {
  const MemberInForce& member = members[index];
  if (member.override.drained) {
    return 0;
  }
  if (member.settles_at && (now < *member.settles_at || !passed_a_probe)) {
    return 0;
  }
  const std::uint32_t step = ramp_step(member, config.slow_start, now);
  return step == kRampSteps ? kFullAdmission : kFullAdmission / (kRampSteps + 1) * (step + 1);
}

std::optional<SteadyTime> ServiceInForce::next_admission_change(MemberIndex index, SteadyTime now) const {
  const MemberInForce& member = members[index];
  if (member.settles_at && now < *member.settles_at) {
    return member.settles_at;
  }
  const std::uint32_t step = ramp_step(member, config.slow_start, now);
  if (step == kRampSteps) {
    return std::nullopt;
  }
  return *member.ramps_from + config.slow_start * (step + 1) / kRampSteps;
}

}  // namespace phalanx::core

// SPDX-License-Identifier: Apache-2.0
#include "core/probe_schedule.hpp"

namespace phalanx::core {

namespace {

std::chrono::nanoseconds phase_of(std::chrono::nanoseconds interval, std::uint32_t phase) {
  // Split so that an hour in nanoseconds times 2^32 does not overflow.
  return (interval / 65536) * (phase >> 16);
}

}  // namespace

void ProbeSchedule::add(EntryIndex entry, std::chrono::milliseconds interval, std::uint32_t phase,
                        SteadyTime now) {
  remove(entry);
  const Timing timing{interval, now + phase_of(interval, phase), std::nullopt};
  timings_.emplace(entry, timing);
  queue_.emplace(timing.next, entry);
}

void ProbeSchedule::remove(EntryIndex entry) {
  const auto timing = timings_.find(entry);
  if (timing == timings_.end()) {
    return;
  }
  if (timing->second.out) {
    attempts_.erase(*timing->second.out);
  }
  queue_.erase({timing->second.next, entry});
  timings_.erase(timing);
}

std::optional<SteadyTime> ProbeSchedule::wake_at() const {
  if (queue_.empty()) {
    return std::nullopt;
  }
  const auto due = queue_.begin()->first.time_since_epoch();
  return SteadyTime((due + kTick - std::chrono::nanoseconds(1)) / kTick * kTick);
}

std::vector<ProbeSchedule::Due> ProbeSchedule::take_due(SteadyTime now) {
  std::vector<Due> due;
  while (!queue_.empty() && queue_.begin()->first <= now) {
    const EntryIndex entry = queue_.begin()->second;
    queue_.erase(queue_.begin());
    Timing& timing = timings_.at(entry);
    if (!timing.out) {
      timing.out = ++last_attempt_;
      attempts_.emplace(*timing.out, entry);
      due.push_back({*timing.out, entry});
    }
    const auto turns = (now - timing.next) / timing.interval + 1;
    timing.next += turns * timing.interval;
    queue_.emplace(timing.next, entry);
  }
  return due;
}

std::optional<EntryIndex> ProbeSchedule::finish(std::uint64_t attempt) {
  const auto found = attempts_.find(attempt);
  if (found == attempts_.end()) {
    return std::nullopt;
  }
  const EntryIndex entry = found->second;
  attempts_.erase(found);
  timings_.at(entry).out.reset();
  return entry;
}

}  // namespace phalanx::core

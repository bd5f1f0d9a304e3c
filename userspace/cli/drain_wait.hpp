// SPDX-License-Identifier: Apache-2.0
// Waiting for a drained backend's flows to end.
#pragma once

#include <chrono>
#include <cstdint>

#include "cli/arguments.hpp"
#include "core/result.hpp"

namespace phalanx::cli {

// A flow is counted from its first packet after the drain on: none seen for this long is taken for none left.
inline constexpr std::chrono::seconds kNoFlowsFor{10};

// The rule alone: fed with what is seen, it says whether the wait is over.
class DrainProgress {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class State : std::uint8_t { waiting, over, timed_out };

  DrainProgress(Time start, std::chrono::milliseconds timeout)
      : deadline_(start + timeout), none_since_(start) {}

  // flows: remembered flows that the backend serves at `now`.
  State observe(std::uint64_t flows, Time now);

 private:
  Time deadline_;
  Time none_since_;
};

// Looks once a second until no flow is left on the backend that the arguments name; shows the progress on
// standard error where that is a terminal. Services that share a backend's entry share its flows, so those of
// a service in which it does not drain count too. Fails, with a sentence, when the time is over, when the
// daemon ends, or when the backend no longer drains or is gone.
Result<void> wait_for_drain(const Arguments& arguments);

}  // namespace phalanx::cli

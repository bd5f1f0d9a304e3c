// SPDX-License-Identifier: Apache-2.0
// Waiting for a drained backend's flows to end.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "cli/arguments.hpp"
#include "core/result.hpp"

namespace phalanx::cli {

// A flow is counted from its first packet after the drain on: none seen for this long is taken for none left.
// An agent knows better, also of connections that are silent: where it says none twice, for a handshake may
// have been under way, TCP is over.
inline constexpr std::chrono::seconds kNoFlowsFor{10};

// What is left of a backend at one moment.
struct LeftOver {
  std::uint64_t flows = 0;                   // remembered by this node: seen lately
  std::optional<std::uint64_t> connections;  // TCP, that live as its agent says; absent: nobody says
};

// The rule alone: fed with what is seen, it says whether the wait is over.
class DrainProgress {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class State : std::uint8_t { waiting, over, timed_out };

  DrainProgress(Time start, std::chrono::milliseconds timeout)
      : deadline_(start + timeout), none_since_(start) {}

  State observe(const LeftOver& left, Time now);

 private:
  Time deadline_;
  Time none_since_;
  bool agent_said_none_ = false;
};

// Looks once a second until no flow is left on the backend that the arguments name; shows the progress on
// standard error where that is a terminal. Services that share a backend's entry share its flows, so those of
// a service in which it does not drain count too. The backend's agent is asked where node.agent_port says so.
// Fails, with a sentence, when the time is over, when the daemon ends, or when the backend no longer drains
// or is gone.
Result<void> wait_for_drain(const Arguments& arguments);

}  // namespace phalanx::cli

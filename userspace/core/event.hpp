// SPDX-License-Identifier: Apache-2.0
// What the world tells the engine.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "core/address.hpp"
#include "core/health.hpp"
#include "core/layout.hpp"
#include "core/next_hop.hpp"

namespace phalanx::core {

using WallTime = std::chrono::system_clock::time_point;

// Both clocks, read once an event by the loop.
struct Now {
  SteadyTime steady;
  WallTime wall;
};

struct ProbeFinished {
  std::uint64_t attempt = 0;
  Verdict verdict = Verdict::inconclusive;
  std::string reason;
};

struct NextHopChanged {
  Address target;
  std::optional<NextHop> hop;  // absent: there is none, and reason says why
  std::string reason;
};

// The operator's disable (true) or enable (false) of one backend of one service.
struct DisableRequested {
  std::string service;
  Endpoint backend;
  bool disabled = true;
};

// Engine::wake_at() has come.
struct TimerFired {};

// Nothing else is pending: go on with the work that yields to everything.
struct Idle {};

using Event = std::variant<ProbeFinished, NextHopChanged, DisableRequested, TimerFired, Idle>;

}  // namespace phalanx::core

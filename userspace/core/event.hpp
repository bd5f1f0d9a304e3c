// SPDX-License-Identifier: Apache-2.0
// What the world tells the engine.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
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
  bool heard = true;  // something came back from the host
};

struct NextHopChanged {
  Address target;
  std::optional<NextHop> hop;  // absent: there is none, and reason says why
  std::string reason;
};

// The operator's word about one backend of one service. A weight is not among them: it changes the base,
// hence the configuration that is proposed.
enum class Word : std::uint8_t { disable, enable, drain, undrain };

struct OverrideRequested {
  std::string service;
  Endpoint backend;
  Word word = Word::disable;
};

// The operator's word about the whole node: no router should send it anything.
struct NodeDrainRequested {
  bool drained = false;
};

// What a sweep of the flow table found.
struct FlowsSwept {
  // Slots, of their service, with a remembered flow that lives elsewhere than on their primary.
  std::map<ServiceIndex, std::set<std::uint32_t>> slots_with_flows_elsewhere;
  std::map<EntryIndex, std::uint32_t> flows;  // remembered, by the entry that serves them
};

// Engine::wake_at() has come.
struct TimerFired {};

// Nothing else is pending: go on with the work that yields to everything.
struct Idle {};

using Event = std::variant<ProbeFinished, NextHopChanged, OverrideRequested, NodeDrainRequested, FlowsSwept,
                           TimerFired, Idle>;

}  // namespace phalanx::core

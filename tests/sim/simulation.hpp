// SPDX-License-Identifier: Apache-2.0
// Seeded histories of a fleet of nodes under traffic; counts connections that changed backend without need.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace phalanx::sim {

enum Scheme : std::size_t { kPhalanx, kPhalanxSlotsAlone, kMaglevScheme, kRendezvous, kSchemes };
const char* to_string(Scheme scheme);

struct Plan {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 4;       // 1..8
  std::uint32_t backends = 100;  // at the beginning, 1..1000
  std::uint32_t flows = 100'000;
  std::uint32_t events = 60;
  std::uint32_t slots = 65536;
  std::uint32_t flow_limit = 65536;  // rows of each node's flow table
  std::uint32_t silence = 1;         // steps (10 s) between a flow's packets, at most; 1: two a step
  bool late_nodes = true;            // nodes hear of events at different times, hence of several at once
  bool node_loss = false;            // nodes die and return; their flows are spread anew over all
  bool grows = true;                 // services[].slots is doubled once; the references have no such thing
  bool references = true;            // Maglev and rendezvous beside it
};

struct Outcome {
  std::uint64_t packets = 0;
  std::array<std::uint64_t, kSchemes> broken{};  // moved though their backend was up or draining
  std::array<std::uint64_t, kSchemes> moved_by_death{};
  std::uint64_t disagree = 0;       // slots whose (primary, backup) differ between nodes, at the end
  std::size_t most_remembered = 0;  // of one node
  std::uint64_t evicted = 0;
  std::map<std::string, int> kinds;  // events by kind
};

Outcome simulate(const Plan& plan);

}  // namespace phalanx::sim

// SPDX-License-Identifier: Apache-2.0
// How much of a service may still fail before clients notice: a lost backup is an event, not a detail.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace phalanx::core {

enum class Redundancy : std::uint8_t {
  full,          // live backends in at least two zones (or in the only one that is configured)
  last_zone,     // all live backends are in one zone, of several configured
  last_backend,  // one is live: no slot has a live backup
  none,          // none is live: packets meet the no_backend rule
};

// The word in events and in JSON: "full", "last zone", "last backend", "none".
const char* to_string(Redundancy redundancy);

struct RedundancyMember {
  std::string_view name;
  std::string_view zone;
  bool live = false;  // may hold slots: neither down nor disabled
};

Redundancy redundancy_of(std::span<const RedundancyMember> members);

// What an operator should read beside it: "b2 (rack-1) is the last backend that is up; no slot has a backup".
std::string redundancy_reason(Redundancy redundancy, std::span<const RedundancyMember> members);

}  // namespace phalanx::core

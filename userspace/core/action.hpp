// SPDX-License-Identifier: Apache-2.0
// What the engine asks the world to do, in this order.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/config.hpp"
#include "core/event.hpp"
#include "core/layout.hpp"
#include "core/next_hop.hpp"

namespace phalanx::core {

// How a backend of a service is seen by operators.
enum class BackendState : std::uint8_t { unknown, up, down, draining, disabled };

const char* to_string(BackendState state);

// The one aligned store by which an entry goes down or up, or swings to the other row of its next hops.
struct StoreEntryState {
  EntryIndex entry = kNoEntry;
  bool up = false;
  bool reachable = false;
  bool draining = false;
  int live_hop = 0;  // 0 or 1

  friend bool operator==(const StoreEntryState&, const StoreEntryState&) = default;
};

// Fills the row that is not live; StoreEntryState swings to it.
struct WriteNextHop {
  EntryIndex entry = kNoEntry;
  int row = 0;
  NextHop hop;
};

// How many host bits of the live row's tunnel source the path fills in.
struct StoreSourceBits {
  EntryIndex entry = kNoEntry;
  int bits = 0;
};

struct WriteEntryStatus {
  EntryIndex entry = kNoEntry;
  Health health = Health::unknown;
  WallTime since;
  std::string reason;
  std::uint32_t flows = 0;  // remembered, as of the last sweep
};

struct SlotStore {
  std::uint32_t row = 0;  // of the map `slots`
  EntryIndex primary = kNoEntry;
  EntryIndex backup = kNoEntry;
  EntryIndex previous = kNoEntry;
  bool tracked = false;
};

struct PatchSlots {
  std::string service;
  std::vector<SlotStore> stores;
};

struct StartProbe {
  std::uint64_t attempt = 0;
  Endpoint target;  // the check's port applied
  Check check;
};

// Takes every remembered flow of an entry that is about to be given up out of the flow table.
struct ForgetFlows {
  EntryIndex entry = kNoEntry;
};

// The backend of a nat entry that is about to be given up does not answer for its VIP any longer.
struct ForgetWayBack {
  EntryIndex entry = kNoEntry;
};

// Makes the applied state durable again: rows were given up.
struct CommitState {};

// What changed, for operators: the fields of a line of `phalanx events`.
struct Announce {
  WallTime time;
  std::string type;     // "backend", "override", "redundancy", "config", "daemon", "announcement"
  std::string service;  // empty where it concerns none
  std::string backend;
  std::string from;
  std::string to;
  std::string reason;
};

using Action = std::variant<StoreEntryState, WriteNextHop, StoreSourceBits, WriteEntryStatus, PatchSlots,
                            StartProbe, ForgetFlows, ForgetWayBack, CommitState, Announce>;
using Actions = std::vector<Action>;

}  // namespace phalanx::core

// SPDX-License-Identifier: Apache-2.0
// One service as the engine runs it: its table, who its members are, and what has changed lately.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/action.hpp"
#include "core/config.hpp"
#include "core/layout.hpp"
#include "core/override.hpp"
#include "core/redundancy.hpp"
#include "core/slot_table.hpp"
#include "core/transitions.hpp"

namespace phalanx::core {

struct MemberInForce {
  EntryIndex entry = kNoEntry;
  std::string name;
  std::string zone;
  Override override;
  BackendState announced = BackendState::unknown;  // what operators were told last
  // Added to a service that serves: takes no flow before then, so that every node knows it before one uses
  // it.
  std::optional<SteadyTime> settles_at;
  // Recovered then: its share rises from here on.
  std::optional<SteadyTime> ramps_from;
};

// Members are the backends in order of endpoint, which no file decides.
struct ServiceInForce {
  Service config;
  ServiceRows rows;
  std::shared_ptr<SlotTable> table;
  std::vector<MemberInForce> members;
  Transitions transitions;
  Redundancy announced_redundancy = Redundancy::full;

  // Slots are numbered within the service. kNoEntry for kNoMember.
  EntryIndex entry_of(MemberIndex member) const {
    return member == kNoMember ? kNoEntry : members[member].entry;
  }

  // The slot as the path is to see it: the table's owners, and in a tracked slot the one that
  // served before as previous.
  SlotStore row(std::uint32_t slot) const;

  // The slot was served by `former`, which is dead where it is kNoEntry. Remembers it, unless the service
  // tracks nothing.
  void begin_transition(std::uint32_t slot, EntryIndex former, SteadyTime now);

  // The share that a member that is up may hold at `now`, in 1/65536.
  std::uint32_t admission(MemberIndex member, bool passed_a_probe, SteadyTime now) const;
  // When admission() will next differ by the passing of time alone.
  std::optional<SteadyTime> next_admission_change(MemberIndex member, SteadyTime now) const;
};

}  // namespace phalanx::core

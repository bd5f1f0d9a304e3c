// SPDX-License-Identifier: Apache-2.0
// A backend entry as the engine knows it: one up bit, one probe, shared by every service that agrees on it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/action.hpp"
#include "core/config.hpp"
#include "core/event.hpp"
#include "core/health.hpp"
#include "core/layout.hpp"
#include "core/next_hop.hpp"
#include "core/slot_table.hpp"

namespace phalanx::core {

enum class HopState : std::uint8_t {
  pending,  // not resolved yet: the entry holds its slots, its backup serves them
  resolved,
  missing,  // the kernel says that there is none: the entry is down
};

// What pinned state says of an entry that is adopted.
struct EntryFacts {
  Health health = Health::unknown;
  bool up = false;
  bool draining = false;
  bool reachable = false;
  int live_hop = 0;
  std::optional<NextHop> hop;
  int source_bits = 0;
  WallTime since;
  std::string reason;
};

struct Entry {
  EntryIdentity identity;

  HealthState health;
  std::string health_reason;
  HostState host;
  bool judged = false;  // by a conclusive probe of this process

  HopState hop_state = HopState::pending;
  std::string hop_reason;
  std::optional<NextHop> route;  // as the kernel says
  std::optional<NextHop> hop;    // as the row that is live says: the route with the node's tunnel source
  int live_hop = 0;
  int source_bits = 0;  // of hop's tunnel source: the host bits that each flow's hash fills in

  // No service uses it any more: those of its flows that are remembered, or that come by a slot's previous,
  // may end until then.
  std::optional<SteadyTime> lingers_until;

  bool shown_up = false;        // the up bit as it was stored last
  bool shown_draining = false;  // likewise
  bool shown_reachable = false;
  std::uint32_t flows = 0;  // remembered, as of the last sweep
  WallTime since;           // of the last change of effective health
  Health effective = Health::unknown;
  std::string reason;

  bool lingers() const { return lingers_until.has_value(); }
  // Delivers to the same sockets: all modes but nat leave the packet its destination, the VIP.
  bool is_same_place(const Entry& other) const {
    return identity.endpoint == other.identity.endpoint &&
           (identity.forward == Forward::nat) == (other.identity.forward == Forward::nat);
  }

  // An entry without check is always up.
  bool is_probed() const { return identity.check.has_value(); }
  // Its slots are its own: neither its check nor its path has failed.
  bool may_hold_slots() const { return health.health() != Health::down && hop_state != HopState::missing; }
  // Packets can be sent to it.
  bool may_be_up() const { return may_hold_slots() && hop_state == HopState::resolved; }

  // Flows that it has may go on there: there is a way, and nothing says that its host is gone.
  bool is_reachable() const { return hop_state == HopState::resolved && host.answers(); }

  // Health as operators see it: a missing next hop is down.
  Health effective_health() const;
  std::string effective_reason() const;

  // Takes the kernel's word about its address. For l2 only a neighbour on the link will do.
  void learn(const NextHopChanged& route);

  // What its state word says, or is about to say.
  StoreEntryState shown_state(EntryIndex index) const;
  WriteEntryStatus status(EntryIndex index) const;
};

Entry make_entry(EntryIdentity identity, WallTime now);
// A new check or another forwarding of a backend that was served before: what is known of its health counts
// until the check speaks.
Entry make_entry_like(EntryIdentity identity, const Entry& former);
Entry adopt_entry(EntryIdentity identity, const EntryFacts& facts);

}  // namespace phalanx::core

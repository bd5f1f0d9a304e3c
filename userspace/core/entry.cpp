// SPDX-License-Identifier: Apache-2.0
#include "core/entry.hpp"

namespace phalanx::core {

const char* to_string(BackendState state) {
  switch (state) {
    case BackendState::unknown:
      return "unknown";
    case BackendState::up:
      return "up";
    case BackendState::down:
      return "down";
    case BackendState::draining:
      return "draining";
    case BackendState::disabled:
      return "disabled";
  }
  return "unknown";
}

Health Entry::effective_health() const {
  return may_hold_slots() ? health.health() : Health::down;
}

std::string Entry::effective_reason() const {
  if (health.health() == Health::down) {
    return health_reason;
  }
  return hop_state == HopState::missing ? hop_reason : health_reason;
}

void Entry::learn(const NextHopChanged& change) {
  const bool off_link = change.hop && identity.forward == Forward::l2 && !change.hop->on_link;
  const bool not_for_here = change.hop && change.hop->this_host && identity.forward != Forward::gue;
  if (change.hop && !off_link && !not_for_here) {
    hop_state = HopState::resolved;
    route = change.hop;
    return;
  }
  hop_state = HopState::missing;
  hop_reason =
      off_link ? to_string(change.target) + " is behind a gateway; l2 forwarding needs it on the link"
      : not_for_here
          ? to_string(change.target) + " is this host, which takes only what is forwarded to it by gue"
          : change.reason;
}

StoreEntryState Entry::shown_state(EntryIndex index) const {
  return {index, shown_up, is_reachable(), shown_draining, live_hop};
}

WriteEntryStatus Entry::status(EntryIndex index) const {
  return {index, effective, since, reason, flows};
}

Entry make_entry(EntryIdentity identity, WallTime now) {
  Entry entry;
  entry.identity = std::move(identity);
  entry.since = now;
  if (entry.is_probed()) {
    entry.health_reason = "not probed yet";
  } else {
    entry.health = HealthState(Health::up);
    entry.health_reason = "no check is configured";
  }
  entry.effective = entry.effective_health();
  entry.reason = entry.effective_reason();
  return entry;
}

Entry make_entry_like(EntryIdentity identity, const Entry& former) {
  Entry entry = make_entry(std::move(identity), former.since);
  if (entry.is_probed()) {
    entry.health = HealthState(former.health.health());
    entry.health_reason = former.health_reason;
    entry.host = former.host;
  }
  entry.effective = entry.effective_health();
  entry.reason = entry.effective_reason();
  return entry;
}

Entry adopt_entry(EntryIdentity identity, const EntryFacts& facts) {
  Entry entry = make_entry(std::move(identity), facts.since);
  if (entry.is_probed()) {
    entry.health = HealthState(facts.health);
    entry.health_reason = facts.reason;
    entry.host = HostState(facts.reachable || !facts.hop);
  }
  entry.route = facts.hop;
  entry.hop = facts.hop;
  entry.hop_state = facts.hop ? HopState::resolved : HopState::pending;
  entry.live_hop = facts.live_hop;
  entry.source_bits = facts.source_bits;
  entry.shown_up = facts.up;
  entry.shown_draining = facts.draining;
  entry.shown_reachable = facts.reachable;
  entry.effective = entry.effective_health();
  entry.reason = entry.effective_reason();
  return entry;
}

}  // namespace phalanx::core

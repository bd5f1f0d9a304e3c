// SPDX-License-Identifier: Apache-2.0
// Engine::step(): what each event means. The reload path is in engine_reload.cpp.
#include "core/engine.hpp"

#include <algorithm>
#include <utility>

namespace phalanx::core {

SlotStore ServiceInForce::slot_store(std::uint32_t slot, const SlotOwners& owners) const {
  const auto entry_of = [this](MemberIndex member) {
    return member == kNoMember ? kNoEntry : entries[member];
  };
  return {.row = rows.region.offset + slot,
          .primary = entry_of(owners.primary),
          .backup = entry_of(owners.backup),
          .previous = entry_of(owners.previous)};
}

Engine::Engine(Limits limits) {
  applied_.layout = Layout(limits);
}

Actions Engine::step(const Event& event, Now now) {
  Actions actions;
  std::visit([&](const auto& e) { on(e, now, actions); }, event);
  return actions;
}

void Engine::on(const ProbeFinished& event, Now now, Actions& actions) {
  const auto index = schedule_.finish(event.attempt);
  if (!index) {
    return;  // late or abandoned: its answer is about an attempt that nobody waits for
  }
  switch (event.verdict) {
    case Verdict::pass:
      ++probe_counts_.pass;
      break;
    case Verdict::fail:
      ++probe_counts_.fail;
      break;
    case Verdict::inconclusive:
      ++probe_counts_.inconclusive;
      break;
  }
  Entry& entry = entries_.at(*index);
  const Check& check = *entry.identity.check;
  if (entry.health.observe(event.verdict, check.rise, check.fall)) {
    entry.health_reason = event.reason;
    refresh(*index, now, actions);
  }
}

void Engine::on(const NextHopChanged& event, Now now, Actions& actions) {
  routes_[event.target] = event;
  const auto [first, last] = entries_by_address_.equal_range(event.target);
  for (auto it = first; it != last; ++it) {
    Entry& entry = entries_.at(it->second);
    entry.learn(event);
    if (entry.hop_state == HopState::resolved) {
      show_hop(it->second, entry, actions);
    }
    refresh(it->second, now, actions);
  }
}

// A new next hop goes to the row that is not live; the swing itself is one store. The very first goes to the
// row that is: no packet reads it while the entry was never up.
void Engine::show_hop(EntryIndex index, Entry& entry, Actions& actions) const {
  if (!entry.route) {
    return;
  }
  NextHop hop = *entry.route;
  const Node& node = applied_.config.node;
  const bool is_v4 = entry.identity.endpoint.address.family == Family::ipv4;
  hop.preferred_source =
      (is_v4 ? node.tunnel_source_v4 : node.tunnel_source_v6).value_or(hop.preferred_source);
  if (entry.hop == hop) {
    return;
  }
  if (entry.hop) {
    entry.live_hop = 1 - entry.live_hop;
  }
  entry.hop = hop;
  actions.push_back(WriteNextHop{index, entry.live_hop, hop});
  actions.push_back(entry.shown_state(index));
}

void Engine::on(const DisableRequested& event, Now now, Actions& actions) {
  for (auto& [service_index, service] : services_) {
    const auto& members = service.table->spec().members;
    const auto member = std::ranges::find(members, event.backend, &SlotTableMember::endpoint);
    if (service.config.name != event.service || member == members.end()) {
      continue;
    }
    const auto place = static_cast<std::size_t>(member - members.begin());
    service.disabled[place] = event.disabled;
    if (event.disabled) {
      applied_.overrides[{event.service, event.backend}] = Override{.disabled = true};
    } else {
      applied_.overrides.erase({event.service, event.backend});
    }
    refresh(service.entries[place], now, actions);
  }
}

void Engine::on(const TimerFired&, Now now, Actions& actions) {
  for (const ProbeSchedule::Due& due : schedule_.take_due(now.steady)) {
    const EntryIdentity& identity = entries_.at(due.entry).identity;
    const Endpoint target{identity.endpoint.address, identity.check->port.value_or(identity.endpoint.port)};
    actions.push_back(StartProbe{due.attempt, target, *identity.check});
  }
}

// One user of one entry: small enough that health events never wait for it.
void Engine::on(const Idle&, Now now, Actions& actions) {
  if (rearm_.empty()) {
    return;
  }
  Rearm& work = rearm_.front();
  Entry& entry = entries_.at(work.entry);
  if (work.next_user < entry.users.size()) {
    rearm_user(entry, entry.users[work.next_user++], now, actions);
  }
  if (work.next_user == entry.users.size()) {
    finish_rearm(work.entry, entry, actions);
    rearm_.pop_front();
  }
}

bool Engine::wants_up(const Entry& entry) const {
  return entry.may_be_up() && std::ranges::any_of(entry.users, [&](const EntryUser& user) {
           return !services_.at(user.service).disabled[user.member];
         });
}

// Down: the bit first, in this very step. Up: the bit last, when every table has been patched (finish_rearm).
void Engine::refresh(EntryIndex index, Now now, Actions& actions) {
  Entry& entry = entries_.at(index);
  if (entry.shown_up && !wants_up(entry)) {
    entry.shown_up = false;
    actions.push_back(entry.shown_state(index));
  }
  if (entry.effective != entry.effective_health()) {
    entry.effective = entry.effective_health();
    entry.reason = entry.effective_reason();
    entry.since = now.wall;
    actions.push_back(WriteEntryStatus{index, entry.effective, entry.since, entry.reason});
  }
  const auto queued = std::ranges::find(rearm_, index, &Rearm::entry);
  if (queued != rearm_.end()) {
    queued->next_user = 0;
  } else {
    rearm_.push_back({index, 0});
  }
}

void Engine::rearm_user(Entry& entry, const EntryUser& user, Now now, Actions& actions) {
  ServiceInForce& service = services_.at(user.service);
  const auto changes = service.table->set_standing(user.member, standing_of(service, user.member));
  if (!changes.empty()) {
    PatchSlots patch{service.config.name, {}};
    patch.stores.reserve(changes.size());
    for (const SlotChange& change : changes) {
      patch.stores.push_back(service.slot_store(change.slot, change.owners));
    }
    actions.push_back(std::move(patch));
  }
  const BackendState state = state_of(service, user.member);
  BackendState& announced = service.announced[user.member];
  if (state != announced) {
    const bool by_operator = state == BackendState::disabled || announced == BackendState::disabled;
    actions.push_back(Announce{.time = now.wall,
                               .type = by_operator ? "override" : "backend",
                               .service = service.config.name,
                               .backend = service.names[user.member],
                               .from = to_string(announced),
                               .to = to_string(state),
                               .reason = by_operator ? "by the operator" : entry.reason});
    announced = state;
  }
}

void Engine::finish_rearm(EntryIndex index, Entry& entry, Actions& actions) const {
  show_hop(index, entry, actions);  // a reload may have changed the node's tunnel source
  if (!entry.shown_up && wants_up(entry)) {
    entry.shown_up = true;
    actions.push_back(entry.shown_state(index));
  }
}

BackendState Engine::state_of(const ServiceInForce& service, MemberIndex member) const {
  if (service.disabled[member]) {
    return BackendState::disabled;
  }
  switch (entries_.at(service.entries[member]).effective_health()) {
    case Health::unknown:
      return BackendState::unknown;
    case Health::up:
      return BackendState::up;
    case Health::down:
      return BackendState::down;
  }
  return BackendState::unknown;
}

Standing Engine::standing_of(const ServiceInForce& service, MemberIndex member) const {
  return Standing{
      .up = !service.disabled[member] && entries_.at(service.entries[member]).may_hold_slots(),
      .admission = Standing{}.admission,
  };
}

}  // namespace phalanx::core

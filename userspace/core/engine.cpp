// SPDX-License-Identifier: Apache-2.0
// Engine::step(): what each event means.
#include "core/engine.hpp"

#include <algorithm>
#include <utility>

namespace phalanx::core {

namespace {

void speak(Override& override, Word word) {
  switch (word) {
    case Word::disable:
      override.disabled = true;
      break;
    case Word::enable:
      override.disabled = false;
      break;
    case Word::drain:
      override.drained = true;
      break;
    case Word::undrain:
      override.drained = false;
      break;
  }
}

}  // namespace

Engine::Engine(Limits limits) {
  applied_.layout = Layout(limits);
}

Actions Engine::step(const Event& event, Now now) {
  Actions actions;
  std::visit([&](const auto& e) { on(e, now, actions); }, event);
  return actions;
}

std::optional<SteadyTime> Engine::wake_at() const {
  auto wake = schedule_.wake_at();
  if (!admission_changes_.empty() && (!wake || admission_changes_.begin()->first < *wake)) {
    wake = admission_changes_.begin()->first;
  }
  return wake;
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
  entry.judged = entry.judged || event.verdict != Verdict::inconclusive;
  const bool host_changed = entry.host.observe(event.verdict, event.heard, check.fall);
  const bool health_changed = entry.health.observe(event.verdict, check.rise, check.fall);
  if (health_changed) {
    entry.health_reason = event.reason;
  }
  if (health_changed || host_changed) {
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

// The configured source in the place of the route's, and how many of its bits are the flow's.
std::pair<NextHop, int> Engine::hop_of(const Entry& entry) const {
  std::pair<NextHop, int> hop{*entry.route, 0};
  const Node& node = applied_.config.node;
  const bool is_v4 = entry.identity.endpoint.address.family == Family::ipv4;
  if (const auto& source = is_v4 ? node.tunnel_source_v4 : node.tunnel_source_v6) {
    hop.first.preferred_source = source->address;
    hop.second = source->host_bits();
  }
  return hop;
}

// A new next hop goes to the row that is not live; the swing itself is one store. The very first goes to the
// row that is: no packet reads it while the entry was never up. Around the swing no more bits are filled in
// than both sources leave clear.
void Engine::show_hop(EntryIndex index, Entry& entry, Actions& actions) const {
  if (!entry.route) {
    return;
  }
  const auto [hop, bits] = hop_of(entry);
  if (bits < entry.source_bits) {
    actions.push_back(StoreSourceBits{index, bits});
  }
  swing_hop(index, entry, hop, actions);
  if (bits > entry.source_bits) {
    actions.push_back(StoreSourceBits{index, bits});
  }
  entry.source_bits = bits;
}

void Engine::swing_hop(EntryIndex index, Entry& entry, const NextHop& hop, Actions& actions) {
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

void Engine::on(const OverrideRequested& event, Now now, Actions& actions) {
  for (auto& [service_index, service] : services_) {
    const auto& specs = service.table->spec().members;
    const auto spec = std::ranges::find(specs, event.backend, &SlotTableMember::endpoint);
    if (service.config.name != event.service || spec == specs.end()) {
      continue;
    }
    MemberInForce& member = service.members[static_cast<std::size_t>(spec - specs.begin())];
    speak(member.override, event.word);
    const auto key = std::pair(event.service, event.backend);
    if (member.override.says_nothing()) {
      applied_.overrides.erase(key);
    } else {
      applied_.overrides[key] = member.override;
    }
    refresh(member.entry, now, actions);
  }
}

void Engine::on(const NodeDrainRequested& event, Now now, Actions& actions) {
  if (applied_.node_drained == event.drained) {
    return;
  }
  applied_.node_drained = event.drained;
  const char* const words[] = {"in service", "drained"};
  actions.push_back(Announce{.time = now.wall,
                             .type = "override",
                             .service = {},
                             .backend = {},
                             .from = words[event.drained ? 0 : 1],
                             .to = words[event.drained ? 1 : 0],
                             .reason = "the operator's word about the node"});
}

void Engine::on(const TimerFired&, Now now, Actions& actions) {
  while (!admission_changes_.empty() && admission_changes_.begin()->first <= now.steady) {
    queue_rearm(admission_changes_.begin()->second);
    admission_changes_.erase(admission_changes_.begin());
  }
  for (const ProbeSchedule::Due& due : schedule_.take_due(now.steady)) {
    const EntryIdentity& identity = entries_.at(due.entry).identity;
    const Endpoint target{identity.endpoint.address, identity.check->port.value_or(identity.endpoint.port)};
    actions.push_back(StartProbe{due.attempt, target, *identity.check});
  }
}

bool Engine::wants_up(EntryIndex index, const Entry& entry) const {
  if (!entry.may_be_up()) {
    return false;
  }
  // Who lingers only ends what it has: once down, or removed while disabled, there is nothing to come back
  // to.
  if (entry.lingers()) {
    return entry.shown_up;
  }
  return is_enabled(index);
}

bool Engine::is_enabled(EntryIndex index) const {
  const auto [first, last] = users_.equal_range(index);
  return std::any_of(first, last, [&](const auto& user) {
    return !services_.at(user.second.service).members[user.second.member].override.disabled;
  });
}

bool Engine::may_keep_flows(EntryIndex index) const {
  const Entry& entry = entries_.at(index);
  return entry.identity.forward == Forward::gue && entry.is_reachable() && is_enabled(index);
}

// Only what drains everywhere: a bit for all services can't say more.
bool Engine::wants_draining(EntryIndex index, const Entry& entry) const {
  const auto [first, last] = users_.equal_range(index);
  return entry.lingers() || std::all_of(first, last, [&](const auto& user) {
           const Override& override = services_.at(user.second.service).members[user.second.member].override;
           return override.drained || override.disabled;
         });
}

// Down: the bit first, in this very step. Up: the bit last, when every table has been patched (finish_rearm).
void Engine::refresh(EntryIndex index, Now now, Actions& actions) {
  Entry& entry = entries_.at(index);
  const bool goes_down = entry.shown_up && !wants_up(index, entry);
  const bool drains = wants_draining(index, entry);
  if (goes_down || drains != entry.shown_draining || entry.is_reachable() != entry.shown_reachable) {
    entry.shown_up = entry.shown_up && !goes_down;
    entry.shown_draining = drains;
    entry.shown_reachable = entry.is_reachable();
    actions.push_back(entry.shown_state(index));
  }
  if (entry.effective != entry.effective_health()) {
    if (entry.effective == Health::down) {
      begin_slow_start(index, now);
    }
    entry.effective = entry.effective_health();
    entry.reason = entry.effective_reason();
    entry.since = now.wall;
    actions.push_back(entry.status(index));
  }
  queue_rearm(index);
}

void Engine::queue_rearm(EntryIndex index) {
  const auto queued = std::ranges::find(rearm_, index, &Rearm::entry);
  if (queued != rearm_.end()) {
    queued->next_user = 0;
  } else {
    rearm_.push_back({index, 0});
  }
}

void Engine::begin_slow_start(EntryIndex index, Now now) {
  const auto [first, last] = users_.equal_range(index);
  for (auto it = first; it != last; ++it) {
    services_.at(it->second.service).members[it->second.member].ramps_from = now.steady;
  }
}

}  // namespace phalanx::core

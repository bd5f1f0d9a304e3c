// SPDX-License-Identifier: Apache-2.0
// How an engine gets a configuration: propose, build, succeed.
#include <algorithm>
#include <tuple>
#include <utility>

#include "core/engine.hpp"

namespace phalanx::core {

namespace {

std::vector<const Backend*> by_endpoint(const Service& service) {
  std::vector<const Backend*> backends;
  for (const Backend& backend : service.backends) {
    backends.push_back(&backend);
  }
  std::ranges::sort(backends, {}, [](const Backend* backend) { return backend->endpoint; });
  return backends;
}

Override override_of(const Overrides& overrides, const std::string& service, const Endpoint& backend) {
  const auto found = overrides.find({service, backend});
  return found == overrides.end() ? Override{} : found->second;
}

SlotTableSpec table_spec(const Service& service, const Overrides& overrides) {
  SlotTableSpec spec{.members = {}, .slots = service.slots, .seed = service.seed};
  for (const Backend* backend : by_endpoint(service)) {
    const Override override = override_of(overrides, service.name, backend->endpoint);
    spec.members.push_back({backend->endpoint, override.weight.value_or(backend->weight), backend->tier});
  }
  return spec;
}

// Overrides of backends that the configuration no longer has end with them.
Overrides kept_overrides(const Overrides& overrides, const Config& config) {
  Overrides kept;
  for (const Service& service : config.services) {
    for (const Backend& backend : service.backends) {
      const auto found = overrides.find({service.name, backend.endpoint});
      if (found != overrides.end()) {
        kept.insert(*found);
      }
    }
  }
  return kept;
}

// What operators said while tables were built, beside the weights that the tables were built with.
Overrides with_words_of_now(const Overrides& proposed, const Overrides& now) {
  Overrides merged;
  for (const auto& [whose, said] : proposed) {
    merged[whose].weight = said.weight;
  }
  for (const auto& [whose, said] : now) {
    merged[whose].disabled = said.disabled;
    merged[whose].drained = said.drained;
  }
  std::erase_if(merged, [](const auto& override) { return override.second.says_nothing(); });
  return merged;
}

std::optional<std::string> changed_limit(const Limits& in_force, const Limits& next) {
  const auto sentence = [](const char* key, std::uint32_t from, std::uint32_t to) {
    return std::string("change node.limits.") + key + " from " + std::to_string(from) + " to " +
           std::to_string(to) +
           ": the maps were made with the former; stop the daemon, run `phalanx down`, and " +
           "start afresh, or restore the former value";
  };
  if (in_force.services != next.services) return sentence("services", in_force.services, next.services);
  if (in_force.backends != next.backends) return sentence("backends", in_force.backends, next.backends);
  if (in_force.slots != next.slots) return sentence("slots", in_force.slots, next.slots);
  if (in_force.flows != next.flows) return sentence("flows", in_force.flows, next.flows);
  if (in_force.fragments != next.fragments) {
    return sentence("fragments", in_force.fragments, next.fragments);
  }
  return std::nullopt;
}

std::chrono::milliseconds longest_transition(const Config& config) {
  std::chrono::milliseconds longest{0};
  for (const Service& service : config.services) {
    longest = std::max(longest, service.transition);
  }
  return longest;
}

std::uint32_t probe_phase(const EntryIdentity& identity) {
  // FNV-1a over what tells entries of one check apart.
  std::uint32_t hash = 2166136261u;
  const auto mix = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 16777619u; };
  std::ranges::for_each(identity.endpoint.address.bytes, mix);
  mix(static_cast<std::uint8_t>(identity.endpoint.port >> 8));
  mix(static_cast<std::uint8_t>(identity.endpoint.port));
  return hash;
}

}  // namespace

Result<Proposal> Engine::propose(const Config& next, const Overrides& overrides, SteadyTime now) const {
  if (auto changed = changed_limit(applied_.layout.limits(), next.node.limits)) {
    return fail(*changed);
  }
  Proposal proposal{.next = {.config = next,
                             .layout = applied_.layout,
                             .overrides = kept_overrides(overrides, next),
                             .generation = applied_.generation + 1},
                    .builds = {}};
  FreshRows fresh;
  for (const Service& service : next.services) {
    SlotTableSpec spec = table_spec(service, proposal.next.overrides);
    const auto known =
        std::ranges::find_if(services_, [&](const auto& s) { return s.second.config.name == service.name; });
    const ServiceInForce* former = known == services_.end() ? nullptr : &known->second;
    if (former != nullptr && service.slots < former->config.slots) {
      return fail(
          "shrink services[].slots of " + service.name + " from " + std::to_string(former->config.slots) +
          " to " + std::to_string(service.slots) +
          ": a live table can grow, not shrink; restore the former number, or load afresh (phalanx down, "
          "then up)");
    }
    // Another check or forwarding means other entries, hence other rows in every slot.
    if (former != nullptr && former->table->spec() == spec && former->config.forward == service.forward &&
        former->config.gue_port == service.gue_port && former->config.check == service.check) {
      continue;
    }
    const bool new_seed = former != nullptr && former->config.seed != service.seed;
    fresh.emplace(service.name, new_seed ? Fresh::region_and_row : Fresh::region);
    proposal.builds.push_back(
        {service.name, std::move(spec), {}, former == nullptr ? nullptr : former->table, nullptr});
  }
  auto layout = applied_.layout.successor(next, fresh, now);
  if (!layout) {
    return Failure(layout.error());
  }
  proposal.next.layout = std::move(*layout);
  // Standings are settled by successor(); most of them are these.
  for (TableBuild& build : proposal.builds) {
    build.standing.resize(build.spec.members.size());
  }
  return proposal;
}

Proposal Engine::adopt(AppliedState pinned, const PinnedFacts& facts) {
  Proposal proposal{.next = std::move(pinned), .builds = {}};
  for (const Service& service : proposal.next.config.services) {
    TableBuild build{service.name, table_spec(service, proposal.next.overrides), {}, nullptr, nullptr};
    for (const Backend* backend : by_endpoint(service)) {
      const EntryIdentity identity = entry_identity(service, *backend);
      const auto entry = adopt_entry(identity, facts.entries.at(proposal.next.layout.entries().at(identity)));
      const Override override = override_of(proposal.next.overrides, service.name, backend->endpoint);
      build.standing.push_back({.up = entry.may_hold_slots() && !override.disabled,
                                .admission = override.drained ? 0 : kFullAdmission});
    }
    proposal.builds.push_back(std::move(build));
  }
  return proposal;
}

Engine Engine::successor(const Proposal& proposal, Now now) const {
  Proposal current = proposal;
  current.next.overrides =
      kept_overrides(with_words_of_now(proposal.next.overrides, applied_.overrides), proposal.next.config);
  current.next.node_drained = applied_.node_drained;
  return successor(current, PinnedFacts{}, now);
}

Engine Engine::successor(const Proposal& proposal, const PinnedFacts& facts, Now now) const {
  Engine next(applied_.layout.limits());
  next.applied_ = proposal.next;
  next.probe_counts_ = probe_counts_;
  next.take_entries(*this, facts, now);
  for (const Service& service : proposal.next.config.services) {
    next.take_service(service, *this, proposal, now);
  }
  for (auto& [index, service] : next.services_) {
    const auto pinned = facts.slots.find(index);
    if (pinned != facts.slots.end()) {
      next.adopt_transitions(service, pinned->second, now);
    }
  }
  next.take_over(*this);
  next.take_probes(*this, now);
  // What was still to be patched still is; and an entry whose last enabled user came or went changes its bit.
  for (const auto& [index, entry] : next.entries_) {
    next.rearm_.push_back({index, 0});
  }
  return next;
}

void Engine::take_entries(const Engine& before, const PinnedFacts& facts, Now now) {
  const auto take = [&](const EntryIdentity& identity, EntryIndex index) -> Entry& {
    const auto known = before.entries_.find(index);
    const auto fact = facts.entries.find(index);
    Entry entry;
    if (known != before.entries_.end() && known->second.identity == identity) {
      entry = known->second;
      entry.lingers_until.reset();
    } else if (fact != facts.entries.end()) {
      entry = adopt_entry(identity, fact->second);
    } else {
      const Entry* former = before.forerunner(identity);
      entry = former == nullptr ? make_entry(identity, now.wall) : make_entry_like(identity, *former);
      if (const auto route = before.routes_.find(identity.endpoint.address); route != before.routes_.end()) {
        entry.learn(route->second);
      }
    }
    entries_by_address_.emplace(identity.endpoint.address, index);
    return entries_.emplace(index, std::move(entry)).first->second;
  };
  for (const auto& [identity, index] : applied_.layout.entries()) {
    take(identity, index);
  }
  for (const auto& [identity, index] : applied_.layout.lingering()) {
    Entry& entry = take(identity, index);
    const auto known = before.entries_.find(index);
    const bool lingered = known != before.entries_.end() && known->second.lingers();
    entry.lingers_until =
        lingered ? known->second.lingers_until : now.steady + longest_transition(applied_.config);
  }
  // The kernel's word about addresses that nobody needs any more is not kept: nobody watches them.
  for (const auto& [address, route] : before.routes_) {
    if (entries_by_address_.contains(address)) {
      routes_.emplace(address, route);
    }
  }
}

// The entry of the same backend that knows most of how a new one of it fares: one with the same check, if
// any.
const Entry* Engine::forerunner(const EntryIdentity& identity) const {
  const Entry* found = nullptr;
  const auto [first, last] = entries_by_address_.equal_range(identity.endpoint.address);
  for (auto it = first; it != last; ++it) {
    const Entry& entry = entries_.at(it->second);
    const bool knows_more = found == nullptr || entry.identity.check == identity.check;
    if (entry.identity.endpoint == identity.endpoint && knows_more) {
      found = &entry;
    }
  }
  return found;
}

// An entry in the place of one that takes packets does so from the first packet on: its services swing to it
// before anything else happens.
void Engine::take_over(const Engine& before) {
  for (auto& [index, entry] : entries_) {
    const auto known = before.entries_.find(index);
    const bool is_new = known == before.entries_.end() || known->second.identity != entry.identity;
    const Entry* former = is_new ? before.forerunner(entry.identity) : nullptr;
    if (former == nullptr || !former->shown_up || !wants_up(index, entry)) {
      continue;
    }
    std::tie(entry.hop, entry.source_bits) = hop_of(entry);
    entry.shown_up = true;
    entry.shown_draining = wants_draining(index, entry);
  }
}

void Engine::take_service(const Service& config, const Engine& before, const Proposal& proposal, Now now) {
  ServiceInForce service;
  service.config = config;
  service.rows = applied_.layout.services().at(config.name);
  const auto former = std::ranges::find_if(
      before.services_, [&](const auto& s) { return s.second.config.name == config.name; });
  const ServiceInForce* known = former == before.services_.end() ? nullptr : &former->second;
  const auto build = std::ranges::find(proposal.builds, config.name, &TableBuild::service);
  if (build != proposal.builds.end()) {
    PHX_CHECK(build->table != nullptr);
    service.table = build->table;
  } else {
    service.table = known->table;
  }
  if (known != nullptr) {
    service.announced_redundancy = known->announced_redundancy;
  }
  take_members(service, known, now);
  for (MemberIndex member = 0; member < service.members.size(); ++member) {
    if (build != proposal.builds.end()) {
      service.table->set_standing(member, standing_of(service, member, now.steady));
    }
    if (service.members[member].announced == BackendState::unknown) {
      service.members[member].announced = state_of(service, member);
    }
    users_.emplace(service.members[member].entry, User{service.rows.index, member});
  }
  if (known != nullptr) {
    take_transitions(service, before, *known, now);
  }
  services_.emplace(service.rows.index, std::move(service));
}

void Engine::take_members(ServiceInForce& service, const ServiceInForce* before, Now now) {
  for (const Backend* backend : by_endpoint(service.config)) {
    MemberInForce member;
    if (before != nullptr) {
      const auto& specs = before->table->spec().members;
      const auto spec = std::ranges::find(specs, backend->endpoint, &SlotTableMember::endpoint);
      if (spec != specs.end()) {
        member = before->members[static_cast<std::size_t>(spec - specs.begin())];
      } else {
        member.settles_at = now.steady + service.config.settle;
      }
    }
    member.entry = applied_.layout.entries().at(entry_identity(service.config, *backend));
    member.name = backend->name;
    member.zone = backend->zone;
    member.override = override_of(applied_.overrides, service.config.name, backend->endpoint);
    service.members.push_back(std::move(member));
  }
}

// Slot s of a table that has grown was slot s & (former slots - 1).
void Engine::take_transitions(ServiceInForce& service, const Engine& before, const ServiceInForce& former,
                              Now now) const {
  const std::uint32_t former_mask = former.config.slots - 1;
  for (std::uint32_t slot = 0; slot < service.config.slots; ++slot) {
    const std::uint32_t former_slot = slot & former_mask;
    const EntryIndex former_server = former.entry_of(former.table->server(former_slot));
    const EntryIndex server = service.entry_of(service.table->server(slot));
    if (const Transition* transition = former.transitions.find(former_slot)) {
      const bool is_known = entries_.contains(transition->previous);
      service.transitions.begin(slot, is_known ? transition->previous : kNoEntry, transition->until);
    }
    if (former_server != kNoEntry && former_server != server &&
        (server == kNoEntry || !before.entries_.at(former_server).is_same_place(entries_.at(server)))) {
      service.begin_transition(slot, former_server, now.steady);
    }
  }
}

// Windows start anew: nobody knows how long they had run. A slot that another one serves than by what was
// pinned is a change like any other.
void Engine::adopt_transitions(ServiceInForce& service, const std::vector<SlotStore>& pinned, Now now) const {
  const auto takes_packets = [this](EntryIndex index) {
    const auto entry = entries_.find(index);
    return entry != entries_.end() && entry->second.shown_up;
  };
  for (std::uint32_t slot = 0; slot < service.config.slots && !pinned.empty(); ++slot) {
    const SlotStore& before = pinned[slot & (pinned.size() - 1)];
    const EntryIndex former_server = takes_packets(before.primary) ? before.primary : before.backup;
    const EntryIndex server = service.entry_of(service.table->server(slot));
    const bool moved = server != former_server && takes_packets(former_server);
    const EntryIndex former = moved ? former_server : before.previous;
    if (moved || before.tracked) {
      service.begin_transition(slot, entries_.contains(former) ? former : kNoEntry, now.steady);
    }
  }
}

void Engine::take_probes(const Engine& before, Now now) {
  schedule_ = before.schedule_;
  admission_changes_ = before.admission_changes_;
  for (const auto& [index, entry] : before.entries_) {
    const auto kept = entries_.find(index);
    if (kept == entries_.end() || kept->second.identity != entry.identity) {
      schedule_.remove(index);
      std::erase_if(admission_changes_,
                    [index = index](const auto& change) { return change.second == index; });
    }
  }
  for (const auto& [index, entry] : entries_) {
    if (entry.is_probed() && !schedule_.contains(index)) {
      schedule_.add(index, entry.identity.check->interval, probe_phase(entry.identity), now.steady);
    }
  }
}

}  // namespace phalanx::core

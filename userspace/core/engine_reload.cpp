// SPDX-License-Identifier: Apache-2.0
// How an engine gets a configuration: propose, build, succeed.
#include <algorithm>
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

SlotTableSpec table_spec(const Service& service) {
  SlotTableSpec spec{.members = {}, .slots = service.slots, .seed = service.seed};
  for (const Backend* backend : by_endpoint(service)) {
    spec.members.push_back({backend->endpoint, backend->weight, backend->tier});
  }
  return spec;
}

bool is_disabled(const Overrides& overrides, const std::string& service, const Endpoint& backend) {
  const auto found = overrides.find({service, backend});
  return found != overrides.end() && found->second.disabled;
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
  return std::nullopt;
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

Result<Proposal> Engine::propose(const Config& next, SteadyTime now) const {
  if (auto changed = changed_limit(applied_.layout.limits(), next.node.limits)) {
    return fail(*changed);
  }
  Proposal proposal;
  FreshRows fresh;
  for (const Service& service : next.services) {
    SlotTableSpec spec = table_spec(service);
    const auto known =
        std::ranges::find_if(services_, [&](const auto& s) { return s.second.config.name == service.name; });
    const bool is_known = known != services_.end();
    // Another check or forwarding means other entries, hence other rows in every slot.
    if (is_known && known->second.table->spec() == spec && known->second.config.forward == service.forward &&
        known->second.config.check == service.check) {
      continue;
    }
    const bool new_seed = is_known && known->second.config.seed != service.seed;
    fresh.emplace(service.name, new_seed ? Fresh::region_and_row : Fresh::region);
    proposal.builds.push_back(
        {service.name, std::move(spec), {}, is_known ? known->second.table : nullptr, nullptr});
  }
  auto layout = applied_.layout.successor(next, fresh, now);
  if (!layout) {
    return Failure(layout.error());
  }
  proposal.next = {.config = next,
                   .layout = std::move(*layout),
                   .overrides = kept_overrides(applied_.overrides, next),
                   .generation = applied_.generation + 1};
  for (TableBuild& build : proposal.builds) {
    const auto& service = *std::ranges::find(next.services, build.service, &Service::name);
    for (const Backend* backend : by_endpoint(service)) {
      const auto index = proposal.next.layout.entries().at(entry_identity(service, *backend));
      const auto entry = entries_.find(index);
      const bool holds = entry == entries_.end() || entry->second.may_hold_slots();
      build.standing.push_back(
          {.up = holds && !is_disabled(proposal.next.overrides, service.name, backend->endpoint)});
    }
  }
  return proposal;
}

Proposal Engine::adopt(AppliedState pinned, const std::map<EntryIndex, EntryFacts>& facts) {
  Proposal proposal{.next = std::move(pinned), .builds = {}};
  for (const Service& service : proposal.next.config.services) {
    TableBuild build{service.name, table_spec(service), {}, nullptr, nullptr};
    for (const Backend* backend : by_endpoint(service)) {
      const EntryIdentity identity = entry_identity(service, *backend);
      const auto index = proposal.next.layout.entries().at(identity);
      const auto entry = adopt_entry(identity, facts.at(index));
      build.standing.push_back(
          {.up = entry.may_hold_slots() &&
                 !is_disabled(proposal.next.overrides, service.name, backend->endpoint)});
    }
    proposal.builds.push_back(std::move(build));
  }
  return proposal;
}

Engine Engine::successor(const Proposal& proposal, Now now) const {
  Proposal current = proposal;
  // The operator may have spoken while tables were built.
  current.next.overrides = kept_overrides(applied_.overrides, proposal.next.config);
  return successor(current, {}, now);
}

Engine Engine::successor(const Proposal& proposal, const std::map<EntryIndex, EntryFacts>& facts,
                         Now now) const {
  Engine next(applied_.layout.limits());
  next.applied_ = proposal.next;
  next.probe_counts_ = probe_counts_;
  next.take_entries(*this, facts, now);
  for (const Service& service : proposal.next.config.services) {
    next.take_service(service, *this, proposal);
  }
  next.take_probes(*this, now);
  // What was still to be patched still is; and an entry whose last enabled user came or went changes its bit.
  for (auto& [index, entry] : next.entries_) {
    next.rearm_.push_back({index, 0});
  }
  return next;
}

void Engine::take_entries(const Engine& before, const std::map<EntryIndex, EntryFacts>& facts, Now now) {
  for (const auto& [identity, index] : applied_.layout.entries()) {
    const auto known = before.entries_.find(index);
    const auto fact = facts.find(index);
    Entry entry;
    if (known != before.entries_.end() && known->second.identity == identity) {
      entry = known->second;
      entry.users.clear();
    } else if (fact != facts.end()) {
      entry = adopt_entry(identity, fact->second);
    } else {
      entry = make_entry(identity, now.wall);
      if (const auto route = before.routes_.find(identity.endpoint.address); route != before.routes_.end()) {
        entry.learn(route->second);
      }
    }
    entries_.emplace(index, std::move(entry));
    entries_by_address_.emplace(identity.endpoint.address, index);
  }
  // The kernel's word about addresses that nobody needs any more is not kept: nobody watches them.
  for (const auto& [address, route] : before.routes_) {
    if (entries_by_address_.contains(address)) {
      routes_.emplace(address, route);
    }
  }
}

void Engine::take_service(const Service& config, const Engine& before, const Proposal& proposal) {
  ServiceInForce service{.config = config,
                         .rows = applied_.layout.services().at(config.name),
                         .table = nullptr,
                         .entries = {},
                         .names = {},
                         .disabled = {},
                         .announced = {}};
  for (const Backend* backend : by_endpoint(config)) {
    service.entries.push_back(applied_.layout.entries().at(entry_identity(config, *backend)));
    service.names.push_back(backend->name);
    service.disabled.push_back(is_disabled(applied_.overrides, config.name, backend->endpoint));
  }
  const auto build = std::ranges::find(proposal.builds, config.name, &TableBuild::service);
  if (build != proposal.builds.end()) {
    PHX_CHECK(build->table != nullptr);
    service.table = build->table;
  } else {
    service.table = before.services_.at(service.rows.index).table;
  }
  for (MemberIndex member = 0; member < service.entries.size(); ++member) {
    if (build != proposal.builds.end()) {
      service.table->set_standing(member, standing_of(service, member));
    }
    service.announced.push_back(state_of(service, member));
    entries_.at(service.entries[member]).users.push_back({service.rows.index, member});
  }
  services_.emplace(service.rows.index, std::move(service));
}

void Engine::take_probes(const Engine& before, Now now) {
  schedule_ = before.schedule_;
  for (const auto& [index, entry] : before.entries_) {
    const auto kept = entries_.find(index);
    if (kept == entries_.end() || kept->second.identity != entry.identity) {
      schedule_.remove(index);
    }
  }
  for (const auto& [index, entry] : entries_) {
    if (entry.is_probed() && !schedule_.contains(index)) {
      schedule_.add(index, entry.identity.check->interval, probe_phase(entry.identity), now.steady);
    }
  }
}

}  // namespace phalanx::core

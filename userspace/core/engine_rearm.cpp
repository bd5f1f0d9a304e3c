// SPDX-License-Identifier: Apache-2.0
// Bringing an entry's standing into the tables of the services that use it, one service a turn, so that
// health events never wait; and saying aloud what changed.
#include <utility>

#include "core/engine.hpp"

namespace phalanx::core {

namespace {

std::vector<RedundancyMember> redundancy_members(const ServiceInForce& service) {
  std::vector<RedundancyMember> members;
  members.reserve(service.members.size());
  const auto standing = service.table->standing();
  for (std::size_t member = 0; member < service.members.size(); ++member) {
    const MemberInForce& m = service.members[member];
    members.push_back({m.name, m.zone, standing[member].up});
  }
  return members;
}

}  // namespace

void Engine::on(const Idle&, Now now, Actions& actions) {
  if (rearm_.empty()) {
    return;
  }
  Rearm& work = rearm_.front();
  Entry& entry = entries_.at(work.entry);
  const auto [first, last] = users_.equal_range(work.entry);
  const auto users = static_cast<std::size_t>(std::distance(first, last));
  if (work.next_user < users) {
    rearm_user(entry, std::next(first, static_cast<std::ptrdiff_t>(work.next_user++))->second, now, actions);
  }
  if (work.next_user >= users) {
    finish_rearm(work.entry, entry, actions);
    rearm_.pop_front();
  }
}

void Engine::rearm_user(Entry& entry, const User& user, Now now, Actions& actions) {
  ServiceInForce& service = services_.at(user.service);
  const auto changes =
      service.table->set_standing(user.member, standing_of(service, user.member, now.steady));
  if (!changes.empty()) {
    PatchSlots patch{service.config.name, {}};
    patch.stores.reserve(changes.size());
    for (const SlotChange& change : changes) {
      const MemberIndex former = change.former_server;
      if (former != kNoMember && former != service.table->server(change.slot)) {
        const EntryIndex served = service.entry_of(former);
        const bool lives = service.table->standing()[former].up || may_keep_flows(served);
        service.begin_transition(change.slot, lives ? served : kNoEntry, now.steady);
      }
      patch.stores.push_back(service.row(change.slot));
    }
    actions.push_back(std::move(patch));
  }
  if (const auto next = service.next_admission_change(user.member, now.steady);
      next && entry.may_hold_slots()) {
    admission_changes_.emplace(*next, service.members[user.member].entry);
  }
  announce_backend(service, user.member, now, actions);
  announce_redundancy(service, now, actions);
}

void Engine::finish_rearm(EntryIndex index, Entry& entry, Actions& actions) {
  show_hop(index, entry, actions);  // a reload may have changed the node's tunnel source
  const bool goes_up = !entry.shown_up && wants_up(index, entry);
  const bool drains = wants_draining(index, entry);
  if (goes_up || drains != entry.shown_draining) {
    entry.shown_up = entry.shown_up || goes_up;
    entry.shown_draining = drains;
    actions.push_back(entry.shown_state(index));
  }
  if (!entry.shown_up && !may_keep_flows(index)) {
    lose_previous(index, actions);
  }
}

void Engine::announce_backend(ServiceInForce& service, MemberIndex index, Now now, Actions& actions) const {
  MemberInForce& member = service.members[index];
  const BackendState state = state_of(service, index);
  if (state == member.announced) {
    return;
  }
  const auto is_the_operators = [](BackendState s) {
    return s == BackendState::disabled || s == BackendState::draining;
  };
  const bool by_operator = is_the_operators(state) || is_the_operators(member.announced);
  actions.push_back(Announce{.time = now.wall,
                             .type = by_operator ? "override" : "backend",
                             .service = service.config.name,
                             .backend = member.name,
                             .from = to_string(member.announced),
                             .to = to_string(state),
                             .reason = by_operator ? "by the operator" : entries_.at(member.entry).reason});
  member.announced = state;
}

void Engine::announce_redundancy(ServiceInForce& service, Now now, Actions& actions) const {
  const auto members = redundancy_members(service);
  const Redundancy redundancy = redundancy_of(members);
  if (redundancy == service.announced_redundancy) {
    return;
  }
  actions.push_back(Announce{.time = now.wall,
                             .type = "redundancy",
                             .service = service.config.name,
                             .backend = {},
                             .from = to_string(service.announced_redundancy),
                             .to = to_string(redundancy),
                             .reason = redundancy_reason(redundancy, members)});
  service.announced_redundancy = redundancy;
}

BackendState Engine::state_of(const ServiceInForce& service, MemberIndex index) const {
  const MemberInForce& member = service.members[index];
  if (member.override.disabled) {
    return BackendState::disabled;
  }
  switch (entries_.at(member.entry).effective_health()) {
    case Health::down:
      return BackendState::down;
    case Health::unknown:
      return member.override.drained ? BackendState::draining : BackendState::unknown;
    case Health::up:
      return member.override.drained ? BackendState::draining : BackendState::up;
  }
  return BackendState::unknown;
}

Standing Engine::standing_of(const ServiceInForce& service, MemberIndex index, SteadyTime now) const {
  const MemberInForce& member = service.members[index];
  const Entry& entry = entries_.at(member.entry);
  return {.up = !member.override.disabled && entry.may_hold_slots(),
          .admission = service.admission(index, entry.health.health() == Health::up, now)};
}

}  // namespace phalanx::core

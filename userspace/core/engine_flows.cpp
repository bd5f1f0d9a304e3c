// SPDX-License-Identifier: Apache-2.0
// The end of what a change began: slots stop being tracked, entries that nobody uses any more are given up.
#include <algorithm>
#include <utility>

#include "core/engine.hpp"

namespace phalanx::core {

bool Engine::wants_sweep() const {
  return flows_are_remembered_ || std::ranges::any_of(services_, [](const auto& s) {
           return !s.second.transitions.empty() || s.second.config.track == Track::all;
         });
}

void Engine::on(const FlowsSwept& event, Now now, Actions& actions) {
  flows_are_remembered_ = !event.flows.empty();
  for (auto& [index, entry] : entries_) {
    const auto flows = event.flows.find(index);
    const std::uint32_t count = flows == event.flows.end() ? 0 : flows->second;
    if (count != entry.flows) {
      entry.flows = count;
      actions.push_back(entry.status(index));
    }
  }
  static const std::set<std::uint32_t> kNone;
  for (auto& [index, service] : services_) {
    const auto elsewhere = event.slots_with_flows_elsewhere.find(index);
    end_transitions(service, elsewhere == event.slots_with_flows_elsewhere.end() ? kNone : elsewhere->second,
                    now, actions);
  }
  std::vector<EntryIndex> over;
  for (const auto& [index, entry] : entries_) {
    if (entry.lingers() && *entry.lingers_until <= now.steady) {
      over.push_back(index);
    }
  }
  for (const EntryIndex index : over) {
    end_lingering(index, now, actions);
  }
  if (!over.empty()) {
    actions.push_back(CommitState{});
  }
}

void Engine::end_transitions(ServiceInForce& service, const std::set<std::uint32_t>& with_flows_elsewhere,
                             Now now, Actions& actions) const {
  PatchSlots patch{service.config.name, {}};
  const auto ended = service.transitions.end(now.steady, [&](std::uint32_t slot, EntryIndex previous) {
    return !with_flows_elsewhere.contains(slot) && !drains_in(service, previous);
  });
  for (const std::uint32_t slot : ended) {
    patch.stores.push_back(service.row(slot));
  }
  if (!patch.stores.empty()) {
    actions.push_back(std::move(patch));
  }
}

bool Engine::drains_in(const ServiceInForce& service, EntryIndex entry) const {
  const auto found = entries_.find(entry);
  if (found == entries_.end() || !found->second.shown_up) {
    return false;  // nobody's flows end there any more
  }
  return found->second.lingers() ||
         std::ranges::any_of(service.members, [entry](const MemberInForce& member) {
           return member.entry == entry && member.override.drained && !member.override.disabled;
         });
}

void Engine::lose_previous(EntryIndex index, Actions& actions) {
  for (auto& [service_index, service] : services_) {
    PatchSlots patch{service.config.name, {}};
    for (const std::uint32_t slot : service.transitions.lose(index)) {
      patch.stores.push_back(service.row(slot));
    }
    if (!patch.stores.empty()) {
      actions.push_back(std::move(patch));
    }
  }
}

// Slots first, then flows, then the row itself: nothing names it when it is given up.
void Engine::end_lingering(EntryIndex index, Now now, Actions& actions) {
  Entry& entry = entries_.at(index);
  entry.shown_up = false;
  actions.push_back(entry.shown_state(index));
  lose_previous(index, actions);
  actions.push_back(ForgetFlows{index});
  if (entry.identity.forward == Forward::nat) {
    actions.push_back(ForgetWayBack{index});
  }
  schedule_.remove(index);
  const auto [first, last] = entries_by_address_.equal_range(entry.identity.endpoint.address);
  entries_by_address_.erase(std::find_if(first, last, [index](const auto& e) { return e.second == index; }));
  std::erase_if(rearm_, [index](const Rearm& work) { return work.entry == index; });
  applied_.layout.release(index, now.steady);
  entries_.erase(index);
}

}  // namespace phalanx::core

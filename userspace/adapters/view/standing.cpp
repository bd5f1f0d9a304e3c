// SPDX-License-Identifier: Apache-2.0
#include "adapters/view/standing.hpp"

#include <set>
#include <vector>

namespace phalanx::adapters {

core::Override override_of(const core::AppliedState& state, const core::Service& service,
                           const core::Backend& backend) {
  const auto found = state.overrides.find({service.name, backend.endpoint});
  return found != state.overrides.end() ? found->second : core::Override{};
}

std::string override_text(const core::Override& said) {
  std::string text;
  const auto add = [&text](const std::string& word) { text += (text.empty() ? "" : ", ") + word; };
  if (said.disabled) {
    add("disabled");
  }
  if (said.drained) {
    add("draining");
  }
  if (said.weight) {
    add("weight " + std::to_string(*said.weight));
  }
  return text;
}

core::BackendState backend_state(const core::AppliedState& state, const core::Service& service,
                                 const core::Backend& backend, core::EntryIndex entry,
                                 const ports::DataPlaneView& data) {
  const core::Override said = override_of(state, service, backend);
  if (said.disabled) {
    return core::BackendState::disabled;
  }
  // The bit is what the packet path goes by: without it (no next hop, say) good health does not help.
  if (entry == core::kNoEntry || (data.backend(entry).state & PHX_STATE_UP) == 0) {
    return core::BackendState::down;
  }
  const auto health = data.backend_status(entry).health;
  if (health == PHX_HEALTH_DOWN) {
    return core::BackendState::down;
  }
  if (said.drained) {
    return core::BackendState::draining;
  }
  return health == PHX_HEALTH_UNKNOWN && service.check ? core::BackendState::unknown : core::BackendState::up;
}

bool takes_traffic(core::BackendState state) {
  return state == core::BackendState::up || state == core::BackendState::unknown;
}

ServiceStanding service_standing(const core::AppliedState& state, const core::Service& service,
                                 const ServiceTable& table, const ports::DataPlaneView& data) {
  ServiceStanding standing;
  std::vector<core::RedundancyMember> members;
  std::set<std::string> zones_live;
  for (std::size_t place = 0; place < service.backends.size(); ++place) {
    const core::Backend& backend = service.backends[place];
    const core::EntryIndex entry = table.entries[place];
    // As the engine judges: an entry that waits for its next hop holds its slots, though its bit is not set.
    const bool live = entry != core::kNoEntry && data.backend_status(entry).health != PHX_HEALTH_DOWN &&
                      !override_of(state, service, backend).disabled;
    members.push_back({backend.name, backend.zone, live});
    standing.backends_up += takes_traffic(backend_state(state, service, backend, entry, data)) ? 1 : 0;
    if (live) {
      ++standing.backends_live;
      zones_live.insert(backend.zone);
    }
  }
  standing.zones_live = zones_live.size();
  standing.redundancy = core::redundancy_of(members);
  return standing;
}

}  // namespace phalanx::adapters

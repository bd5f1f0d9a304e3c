// SPDX-License-Identifier: Apache-2.0
// How backends and services stand: the operator's word from the applied state, health from the maps.
#pragma once

#include <cstddef>
#include <string>

#include "adapters/view/service_table.hpp"
#include "core/action.hpp"
#include "core/applied_state.hpp"
#include "core/redundancy.hpp"
#include "ports/data_plane.hpp"

namespace phalanx::adapters {

// What the operator said of the backend; an Override that says nothing where that is nothing.
core::Override override_of(const core::AppliedState& state, const core::Service& service,
                           const core::Backend& backend);

// "disabled", "draining", "weight 10", or those that apply with ", " between; empty where nothing was said.
std::string override_text(const core::Override& said);

// The state by which the packet path goes. entry: of the backend; kNoEntry is down.
core::BackendState backend_state(const core::AppliedState& state, const core::Service& service,
                                 const core::Backend& backend, core::EntryIndex entry,
                                 const ports::DataPlaneView& data);

// Whether new flows go to a backend in that state.
bool takes_traffic(core::BackendState state);

struct ServiceStanding {
  int backends_up = 0;         // those that take new flows
  std::size_t zones_live = 0;  // zones with a live backend
  int backends_live = 0;       // neither down nor disabled; a draining one is live
  core::Redundancy redundancy = core::Redundancy::none;
};

// table: the service's.
ServiceStanding service_standing(const core::AppliedState& state, const core::Service& service,
                                 const ServiceTable& table, const ports::DataPlaneView& data);

}  // namespace phalanx::adapters

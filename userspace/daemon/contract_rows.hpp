// SPDX-License-Identifier: Apache-2.0
// The engine's values as rows of phalanx.h, and back.
#pragma once

#include <phalanx.h>

#include <map>
#include <utility>
#include <vector>

#include "core/action.hpp"
#include "core/applied_state.hpp"
#include "core/engine.hpp"
#include "core/entry.hpp"
#include "ports/data_plane.hpp"

namespace phalanx::daemon {

phx_slot slot_row(const core::SlotStore& store);

std::uint64_t state_word(const core::StoreEntryState& state);

phx_next_hop next_hop_row(const core::NextHop& hop);

// The whole row of an entry, with the state that the engine last showed.
phx_backend backend_row(const core::Entry& entry);

// A reason longer than the row is cut.
phx_backend_status backend_status_row(const core::WriteEntryStatus& status);

phx_service service_row(const core::ServiceInForce& service);

// Every row of `vips` for these services: a service's own, and each VIP's.
std::vector<std::pair<phx_vip_key, phx_vip>> vip_rows(
    const std::map<core::ServiceIndex, core::ServiceInForce>& services);

// Every row of `nat_sources` for the services in force. Entries that linger have theirs in the map alone.
std::vector<std::pair<phx_vip_key, phx_nat_source>> nat_source_rows(const core::Engine& engine);

// Whether `key` is the address and port of a nat entry.
bool is_way_back_of(const phx_vip_key& key, const core::Entry& entry);

// What the pinned rows say of every entry and slot of the state.
core::PinnedFacts read_facts(const core::AppliedState& state, const ports::DataPlaneView& plane);

}  // namespace phalanx::daemon

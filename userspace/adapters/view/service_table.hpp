// SPDX-License-Identifier: Apache-2.0
// What the maps say of one service's slots, by the places of its backends in the configuration.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/applied_state.hpp"
#include "core/slot_table.hpp"
#include "ports/data_plane.hpp"

namespace phalanx::adapters {

struct SlotCount {
  std::uint32_t primary = 0;
  std::uint32_t backup = 0;
};

struct ServiceTable {
  core::ServiceIndex index = 0;           // row of `services`
  std::uint64_t seed = 0;                 // of the slot hash
  std::vector<core::EntryIndex> entries;  // of each backend; kNoEntry where the layout has none
  std::vector<core::SlotOwners> owners;   // of each slot, by place in core::Service::backends
  std::vector<bool> tracked;              // of each slot: PHX_SLOT_TRACKED
  std::vector<SlotCount> counts;          // of each backend
  std::uint32_t without_backup = 0;       // slots that name no backup
  std::uint32_t slots_tracked = 0;        // slots whose flows are remembered one by one
};

// Reads each row of `slots` that belongs to the service once. A service that has no table yet has no owners.
ServiceTable read_service_table(const core::AppliedState& state, const core::Service& service,
                                const ports::DataPlaneView& data);

// 16 hexadecimal digits over (primary, backup) by endpoint: equal on every node that publishes the same
// table.
std::string digest_text(const ServiceTable& table, const core::Service& service);

}  // namespace phalanx::adapters

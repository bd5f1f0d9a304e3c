// SPDX-License-Identifier: Apache-2.0
// What the tests of the engine ask of a world: one service "web" of four backends, b1 .. b4 at 10.0.1.11
// .. 14.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "fakes/world.hpp"

namespace phalanx::engine_world {

using fakes::backend;
using fakes::config;
using fakes::service;
using fakes::World;

inline core::Config four_backends() {
  return config(
      {service("web", 10, {backend("b1", 11), backend("b2", 12), backend("b3", 13), backend("b4", 14)})});
}

inline core::EntryIndex entry_of(const World& world, int last_byte, const std::string& in_service = "web") {
  for (const auto& [index, s] : world.engine.services()) {
    if (s.config.name != in_service) {
      continue;
    }
    for (const core::MemberInForce& member : s.members) {
      if (world.engine.entries().at(member.entry).identity.endpoint.address.bytes[3] == last_byte) {
        return member.entry;
      }
    }
  }
  return core::kNoEntry;
}

inline bool is_up(const World& world, int last_byte, const std::string& in_service = "web") {
  return (world.plane.backend(entry_of(world, last_byte, in_service)).state & PHX_STATE_UP) != 0;
}

inline bool is_reachable(const World& world, int last_byte, const std::string& in_service = "web") {
  return (world.plane.backend(entry_of(world, last_byte, in_service)).state & PHX_STATE_REACHABLE) != 0;
}

// In the region that the service has now.
inline std::size_t slots_with_primary(const World& world, core::EntryIndex entry) {
  const core::Region region = world.engine.applied().layout.services().begin()->second.region;
  const auto first = world.plane.slots.begin() + region.offset;
  return static_cast<std::size_t>(std::count_if(
      first, first + region.slots, [entry](const phx_slot& slot) { return slot.primary == entry; }));
}

inline World serving(const core::Config& first) {
  World world(first.node.limits);
  EXPECT_TRUE(world.apply(first));
  world.resolve_all_next_hops();
  return world;
}

inline phx_slot slot_of(const World& world, std::uint32_t slot) {
  return world.plane.slots[world.engine.applied().layout.services().at("web").region.offset + slot];
}

inline core::FlowsSwept nothing_found() {
  return {};
}

}  // namespace phalanx::engine_world

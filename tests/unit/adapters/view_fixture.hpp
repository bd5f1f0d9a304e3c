// SPDX-License-Identifier: Apache-2.0
// A node with one service of three backends over 4,096 slots, as the maps hold it.
#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "fakes/memory_data_plane.hpp"

namespace phalanx {

inline constexpr std::uint64_t kSince = 1'772'366'400'123'456'789;  // 2026-03-01T12:00:00.123Z

inline core::Endpoint endpoint(const std::string& text) {
  return core::parse_endpoint(text).value();
}

inline phx_vip_key vip_key(const std::string& address, std::uint16_t port, std::uint8_t protocol) {
  const core::Address parsed = core::parse_address(address).value();
  phx_vip_key key{};
  std::copy(parsed.bytes.begin(), parsed.bytes.end(), key.address);
  key.port = static_cast<std::uint16_t>(port << 8 | port >> 8);
  key.protocol = protocol;
  key.family = static_cast<std::uint8_t>(parsed.family);
  return key;
}

struct Node {
  static constexpr std::uint32_t kSlots = 4096;
  static constexpr std::uint32_t kOffset = 8192;
  static constexpr std::uint32_t kService = 5;

  core::AppliedState state;
  fakes::MemoryDataPlane data;

  Node() {
    state.config.node.name = "edge-a";
    state.generation = 3;
    core::Service web;
    web.name = "web";
    web.vips = {core::parse_address("198.51.100.10").value(), core::parse_address("2001:db8::10").value()};
    web.protocols = {core::Protocol::tcp};
    web.port = 80;
    web.check_name = "tcp";
    web.check = core::Check{};
    web.slots = kSlots;
    web.seed = 77;
    web.backends = {{"web-1", endpoint("10.0.1.11:80"), 100, "rack-1", 0},
                    {"web-2", endpoint("10.0.2.12:80"), 100, "rack-2", 0},
                    {"web-3", endpoint("[fd00::13]:8080"), 200, "rack-2", 0}};
    state.config.services.push_back(web);
    std::map<core::EntryIdentity, core::EntryIndex> entries;
    for (std::size_t i = 0; i < web.backends.size(); ++i) {
      entries[core::entry_identity(web, web.backends[i])] = entry(i);
    }
    state.layout = core::Layout(core::Limits{}, entries, {{"web", {kService, {kOffset, kSlots}}}});
    publish();
  }

  // Backends have entries 10, 11, 12.
  static core::EntryIndex entry(std::size_t place) { return static_cast<core::EntryIndex>(10 + place); }

  // Slot s: primary is backend s % 3, backup the next, previous the one after.
  void publish() {
    phx_service row{};
    row.region = phx_region(kOffset, kSlots);
    row.seed = state.config.services.front().seed;
    data.write_service(kService, row);
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
      data.store_slot(kOffset + slot, {entry(slot % 3), entry((slot + 1) % 3), entry((slot + 2) % 3), 0});
    }
    for (std::size_t place = 0; place < 3; ++place) {
      set_health(place, PHX_HEALTH_UP, "");
    }
    for (const char* vip : {"198.51.100.10", "2001:db8::10"}) {
      PHX_CHECK(data.put_vip(vip_key(vip, 80, 6), {kService, 0}).has_value());
      PHX_CHECK(data.put_vip(vip_key(vip, 0, 0), {PHX_NO_SERVICE, 0}).has_value());
    }
  }

  void set_health(std::size_t place, phx_health health, const std::string& reason) {
    data.store_backend_state(entry(place), health == PHX_HEALTH_DOWN ? 0 : PHX_STATE_UP);
    phx_backend_status status{};
    status.since_ns = kSince;
    status.health = static_cast<std::uint8_t>(health);
    reason.copy(status.reason, sizeof status.reason);
    data.write_backend_status(entry(place), status);
  }
};

}  // namespace phalanx

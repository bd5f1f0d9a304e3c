// SPDX-License-Identifier: Apache-2.0
#include "daemon/contract_rows.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

namespace phalanx::daemon {

namespace {

std::uint16_t to_be(std::uint16_t value) {
  static_assert(std::endian::native == std::endian::little);
  return static_cast<std::uint16_t>(value << 8 | value >> 8);
}

void copy_address(const core::Address& address, std::uint8_t (&bytes)[16]) {
  std::ranges::copy(address.bytes, bytes);
}

phx_vip_key vip_key(const core::Address& vip, std::uint16_t port, std::uint8_t protocol) {
  phx_vip_key key{};
  copy_address(vip, key.address);
  key.port = to_be(port);
  key.protocol = protocol;
  key.family = static_cast<std::uint8_t>(vip.family);
  return key;
}

phx_no_backend no_backend_rule(core::NoBackend rule) {
  switch (rule) {
    case core::NoBackend::drop:
      return PHX_NO_BACKEND_DROP;
    case core::NoBackend::reject:
      return PHX_NO_BACKEND_REJECT;
    case core::NoBackend::last_good:
      return PHX_NO_BACKEND_LAST_GOOD;
  }
  return PHX_NO_BACKEND_DROP;
}

phx_track track_rule(core::Track track) {
  switch (track) {
    case core::Track::automatic:
      return PHX_TRACK_AUTO;
    case core::Track::all:
      return PHX_TRACK_ALL;
    case core::Track::none:
      return PHX_TRACK_NONE;
  }
  return PHX_TRACK_AUTO;
}

phx_forward forward_mode(core::Forward forward) {
  switch (forward) {
    case core::Forward::ipip:
      return PHX_FORWARD_IPIP;
    case core::Forward::l2:
      return PHX_FORWARD_L2;
    case core::Forward::gue:
      return PHX_FORWARD_GUE;
    case core::Forward::nat:
      return PHX_FORWARD_NAT;
  }
  return PHX_FORWARD_IPIP;
}

phx_unmatched unmatched_rule(core::Unmatched rule) {
  switch (rule) {
    case core::Unmatched::pass:
      return PHX_UNMATCHED_PASS;
    case core::Unmatched::drop:
      return PHX_UNMATCHED_DROP;
    case core::Unmatched::reject:
      return PHX_UNMATCHED_REJECT;
  }
  return PHX_UNMATCHED_PASS;
}

core::NextHop read_hop(const phx_next_hop& row, core::Family family) {
  core::NextHop hop;
  std::ranges::copy(row.destination_mac, hop.destination.begin());
  std::ranges::copy(row.source_mac, hop.source.begin());
  hop.this_host = row.interface == PHX_LOOPBACK;
  hop.interface = hop.this_host ? 0 : row.interface;
  hop.preferred_source.family = family;
  std::ranges::copy(row.tunnel_source, hop.preferred_source.bytes.begin());
  hop.vlan = row.vlan;
  hop.mtu = row.mtu;
  return hop;
}

}  // namespace

phx_slot slot_row(const core::SlotStore& store) {
  return {.primary = store.primary,
          .backup = store.backup,
          .previous = store.previous,
          .flags = static_cast<std::uint16_t>(store.tracked ? PHX_SLOT_TRACKED : 0)};
}

std::uint64_t state_word(const core::StoreEntryState& state) {
  return (state.up ? PHX_STATE_UP : 0) | (state.reachable ? PHX_STATE_REACHABLE : 0) |
         (state.draining ? PHX_STATE_DRAINING : 0) | (state.live_hop == 1 ? PHX_STATE_NEXT_HOP : 0);
}

phx_next_hop next_hop_row(const core::NextHop& hop) {
  phx_next_hop row{};
  std::ranges::copy(hop.destination, row.destination_mac);
  std::ranges::copy(hop.source, row.source_mac);
  row.interface = hop.this_host ? PHX_LOOPBACK : hop.interface;
  row.vlan = hop.vlan;
  row.mtu = hop.mtu;
  copy_address(hop.preferred_source, row.tunnel_source);
  return row;
}

phx_backend backend_row(const core::Entry& entry) {
  const core::Address& address = entry.identity.endpoint.address;
  phx_backend row{};
  copy_address(address, row.address);
  row.port = to_be(entry.identity.endpoint.port);
  row.family = static_cast<std::uint8_t>(address.family);
  row.forward = static_cast<std::uint8_t>(forward_mode(entry.identity.forward));
  row.tunnel_port = to_be(entry.identity.tunnel_port);
  row.source_bits = static_cast<std::uint8_t>(entry.source_bits);
  row.state = state_word(entry.shown_state(core::kNoEntry));
  if (entry.hop) {
    row.next_hop[entry.live_hop] = next_hop_row(*entry.hop);
  }
  return row;
}

phx_backend_status backend_status_row(const core::WriteEntryStatus& status) {
  phx_backend_status row{};
  row.since_ns = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(status.since.time_since_epoch()).count());
  row.flows = status.flows;
  row.health = static_cast<std::uint8_t>(status.health);
  std::strncpy(row.reason, status.reason.c_str(), sizeof row.reason - 1);
  return row;
}

phx_service service_row(const core::ServiceInForce& service) {
  phx_service row{};
  row.region = phx_region(service.rows.region.offset, service.rows.region.slots);
  row.seed = service.config.seed;
  row.no_backend = static_cast<std::uint8_t>(no_backend_rule(service.config.no_backend));
  row.track = static_cast<std::uint8_t>(track_rule(service.config.track));
  row.on_down = service.config.on_down == core::OnDown::keep ? PHX_ON_DOWN_KEEP : PHX_ON_DOWN_MOVE;
  return row;
}

std::vector<std::pair<phx_vip_key, phx_vip>> vip_rows(
    const std::map<core::ServiceIndex, core::ServiceInForce>& services) {
  std::vector<std::pair<phx_vip_key, phx_vip>> rows;
  std::map<core::Address, bool> seen;
  for (const auto& [index, service] : services) {
    for (const core::Address& vip : service.config.vips) {
      for (const core::Protocol protocol : service.config.protocols) {
        rows.emplace_back(vip_key(vip, service.config.port, static_cast<std::uint8_t>(protocol)),
                          phx_vip{.service = index, .unmatched = 0});
      }
      if (seen.emplace(vip, true).second) {
        rows.emplace_back(vip_key(vip, 0, 0), phx_vip{.service = PHX_NO_SERVICE,
                                                      .unmatched = unmatched_rule(service.config.unmatched)});
      }
    }
  }
  return rows;
}

std::vector<std::pair<phx_vip_key, phx_nat_source>> nat_source_rows(const core::Engine& engine) {
  std::vector<std::pair<phx_vip_key, phx_nat_source>> rows;
  for (const auto& [index, service] : engine.services()) {
    if (service.config.forward != core::Forward::nat) {
      continue;
    }
    for (const core::MemberInForce& member : service.members) {
      const core::Endpoint& backend = engine.entries().at(member.entry).identity.endpoint;
      phx_nat_source source{};
      copy_address(service.config.vips.front(), source.vip);
      source.port = to_be(service.config.port);
      source.entry = member.entry;
      source.service = index;
      for (const core::Protocol protocol : service.config.protocols) {
        rows.emplace_back(vip_key(backend.address, backend.port, static_cast<std::uint8_t>(protocol)),
                          source);
      }
    }
  }
  return rows;
}

bool is_way_back_of(const phx_vip_key& key, const core::Entry& entry) {
  const core::Endpoint& backend = entry.identity.endpoint;
  const phx_vip_key own = vip_key(backend.address, backend.port, key.protocol);
  return entry.identity.forward == core::Forward::nat && std::memcmp(&own, &key, sizeof own) == 0;
}

namespace {

core::EntryFacts entry_facts(core::EntryIndex index, core::Family family, const ports::DataPlaneView& plane) {
  const phx_backend row = plane.backend(index);
  const phx_backend_status status = plane.backend_status(index);
  core::EntryFacts facts;
  facts.health = static_cast<core::Health>(status.health);
  facts.up = (row.state & PHX_STATE_UP) != 0;
  facts.draining = (row.state & PHX_STATE_DRAINING) != 0;
  facts.live_hop = (row.state & PHX_STATE_NEXT_HOP) != 0 ? 1 : 0;
  facts.source_bits = row.source_bits;
  facts.reachable = (row.state & PHX_STATE_REACHABLE) != 0;
  // Of an entry that is not reachable the row stands for a way only if the host was silent.
  const bool silent = status.health == PHX_HEALTH_DOWN && row.next_hop[facts.live_hop].interface != 0;
  if (facts.reachable || silent) {
    facts.hop = read_hop(row.next_hop[facts.live_hop], family);
  }
  facts.since = core::WallTime(
      std::chrono::duration_cast<core::WallTime::duration>(std::chrono::nanoseconds(status.since_ns)));
  facts.reason.assign(status.reason, strnlen(status.reason, sizeof status.reason));
  return facts;
}

}  // namespace

core::PinnedFacts read_facts(const core::AppliedState& state, const ports::DataPlaneView& plane) {
  core::PinnedFacts facts;
  for (const auto* entries : {&state.layout.entries(), &state.layout.lingering()}) {
    for (const auto& [identity, index] : *entries) {
      facts.entries.emplace(index, entry_facts(index, identity.endpoint.address.family, plane));
    }
  }
  for (const auto& [name, rows] : state.layout.services()) {
    // The region that the path looks at, which is the former one when a change was cut short.
    const std::uint64_t region = plane.service(rows.index).region;
    std::vector<core::SlotStore>& slots = facts.slots[rows.index];
    for (std::uint32_t slot = 0; region != 0 && slot <= phx_region_mask(region); ++slot) {
      const phx_slot row = plane.slot(phx_region_offset(region) + slot);
      slots.push_back({slot, row.primary, row.backup, row.previous, (row.flags & PHX_SLOT_TRACKED) != 0});
    }
  }
  return facts;
}

}  // namespace phalanx::daemon

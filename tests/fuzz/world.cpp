// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include "lib/wire.h"
#include "phalanx.h"

namespace phalanx::fuzz {
namespace {

constexpr std::uint8_t kTcp = PHX_PROTOCOL_TCP;
constexpr std::uint8_t kUdp = PHX_PROTOCOL_UDP;
constexpr std::uint32_t kSlotsEach = 16;
constexpr std::uint16_t kNatPort = 8088;

// VIP, backend and node number n.
Host vip(int n, bool is_ipv6) {
  if (is_ipv6)
    return {{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(n)}, true};
  return {{198, 51, 100, static_cast<std::uint8_t>(n)}, false};
}

Host backend(int n, bool is_ipv6) {
  if (is_ipv6) return {{0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(n)}, true};
  return {{10, 0, 1, static_cast<std::uint8_t>(n)}, false};
}

Host node(bool is_ipv6) {
  if (is_ipv6) return {{0xfd, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, true};
  return {{10, 0, 9, 1}, false};
}

std::uint8_t family(bool is_ipv6) {
  return is_ipv6 ? PHX_FAMILY_IPV6 : PHX_FAMILY_IPV4;
}

phx_vip_key key_of(const Host& host, std::uint16_t port, std::uint8_t protocol) {
  phx_vip_key key{};
  std::ranges::copy(host.address, key.address);
  key.port = PHX_SWAP16(port);
  key.protocol = protocol;
  key.family = family(host.is_ipv6);
  return key;
}

struct Entry {
  phx_forward forward = PHX_FORWARD_IPIP;
  bool is_ipv6 = false;
  std::uint64_t state = PHX_STATE_UP | PHX_STATE_REACHABLE;
  std::uint32_t interface = 1;
  std::uint16_t mtu = 0;
  std::uint16_t vlan = 0;
  std::uint8_t source_bits = 0;
};

// In order of their indices.
std::vector<Entry> entries() {
  constexpr std::uint64_t kDown = PHX_STATE_REACHABLE;
  constexpr std::uint64_t kDraining = PHX_STATE_UP | PHX_STATE_REACHABLE | PHX_STATE_DRAINING;
  std::vector<Entry> all;
  for (const bool is_ipv6 : {false, true}) {
    for (const auto mode : {PHX_FORWARD_IPIP, PHX_FORWARD_L2, PHX_FORWARD_GUE, PHX_FORWARD_NAT}) {
      const std::uint8_t bits = mode == PHX_FORWARD_GUE ? 16 : 0;
      all.push_back({mode, is_ipv6});
      all.push_back({mode, is_ipv6, kDown});
      all.push_back({mode, is_ipv6, kDraining, 77, 0, 5, bits});
      all.push_back({mode, is_ipv6, PHX_STATE_UP | PHX_STATE_NEXT_HOP, 1, 700, 9, bits});
    }
  }
  // Hops of both families in one packet.
  for (const bool is_ipv6 : {false, true, false, true}) all.push_back({PHX_FORWARD_GUE, is_ipv6});
  return all;
}
constexpr std::uint16_t kEntriesOfAMode = 4;
constexpr std::uint16_t kEntriesOfAFamily = 16;
constexpr std::uint16_t kMixedEntries = 2 * kEntriesOfAFamily;  // the first of those of both families

phx_backend row_of(const Entry& entry, int n) {
  phx_backend row{};
  std::ranges::copy(backend(n, entry.is_ipv6).address, row.address);
  row.port = PHX_SWAP16(kNatPort);
  row.family = family(entry.is_ipv6);
  row.forward = static_cast<std::uint8_t>(entry.forward);
  row.state = entry.state;
  row.tunnel_port = PHX_SWAP16(6080);
  row.source_bits = entry.source_bits;
  for (phx_next_hop& hop : row.next_hop) {
    const std::uint8_t macs[12] = {2, 0, 0, 0, 1, static_cast<std::uint8_t>(n), 2, 0, 0, 0, 0, 1};
    std::memcpy(hop.destination_mac, macs, sizeof macs);
    hop.interface = entry.interface;
    hop.mtu = entry.mtu;
    hop.vlan = entry.vlan;
    std::ranges::copy(node(entry.is_ipv6).address, hop.tunnel_source);
  }
  return row;
}

struct Service {
  std::uint16_t port;
  std::uint16_t first_entry;  // its slots name this one and the three that follow, in every combination
  phx_service rules{};
  bool tracked = false;
  std::optional<bool> family{};  // IPv6; both where absent
};

std::vector<Service> services() {
  std::vector<Service> all;
  phx_service rules{};
  std::uint16_t port = 80;
  for (std::uint16_t first = 0; first < 2 * kEntriesOfAFamily; first += kEntriesOfAMode) {
    const bool is_nat = first % kEntriesOfAFamily >= 3 * kEntriesOfAMode;
    const std::optional<bool> only = is_nat ? std::optional(first >= kEntriesOfAFamily) : std::nullopt;
    for (const bool tracked : {false, true}) {
      rules.no_backend = static_cast<std::uint8_t>((port - 80) % 3);
      rules.on_down = tracked && port % 4 < 2 ? PHX_ON_DOWN_KEEP : PHX_ON_DOWN_MOVE;
      rules.track = static_cast<std::uint8_t>(port % 5 == 4 ? PHX_TRACK_ALL : PHX_TRACK_AUTO);
      all.push_back({port++, first, rules, tracked, only});
    }
  }
  for (const bool tracked : {false, true}) all.push_back({port++, kMixedEntries, rules, tracked, {}});
  return all;
}

void put_vip(const PutRow& put, phx_vip_filter& filter, const Host& host, phx_unmatched unmatched) {
  const phx_vip_key own = key_of(host, 0, 0);
  const phx_vip row{PHX_NO_SERVICE, static_cast<std::uint32_t>(unmatched)};
  const std::uint32_t bit = phx_vip_filter_bit(phx_load64(own.address), phx_load64(own.address + 8));
  filter.words[bit / 64] |= 1ull << bit % 64;
  put("vips", &own, &row);
}

phx_slot slot_of(const Service& service, std::uint32_t i) {
  const auto entry = [&](std::uint32_t n) { return static_cast<std::uint16_t>(service.first_entry + n % 4); };
  phx_slot slot{entry(i), entry(i / 4), entry(i + 1), static_cast<std::uint16_t>(service.tracked ? 1 : 0)};
  if (i == 5) slot.backup = PHX_NO_ENTRY;
  if (i == 6) slot = {entry(1), entry(1), PHX_NO_ENTRY, slot.flags};  // all down
  return slot;
}

void put_service(const PutRow& put, const Service& service, std::uint32_t index) {
  phx_service row = service.rules;
  row.region = phx_region(index * kSlotsEach, kSlotsEach);
  row.seed = 0x5eed + index;
  put("services", &index, &row);
  for (std::uint32_t i = 0; i < kSlotsEach; ++i) {
    const std::uint32_t at = index * kSlotsEach + i;
    const phx_slot slot = slot_of(service, i);
    put("slots", &at, &slot);
  }
  for (const bool is_ipv6 : {false, true}) {
    if (service.family && *service.family != is_ipv6) continue;
    for (const std::uint8_t protocol : {kTcp, kUdp}) {
      const phx_vip_key key = key_of(vip(10, is_ipv6), service.port, protocol);
      const phx_vip vip{index, 0};
      put("vips", &key, &vip);
      const std::uint32_t place = phx_vip_cache_index(&key);
      const phx_vip_cache_row row{key, index, {}};
      if (index % 4 != 3) put("vip_cache", &place, &row);  // the others are found in the hash
    }
  }
}

void put_nat_source(const PutRow& put, const Entry& entry, std::uint16_t index) {
  phx_nat_source source{};
  std::ranges::copy(vip(10, entry.is_ipv6).address, source.vip);
  source.port = PHX_SWAP16(80);
  source.entry = index;
  for (const std::uint8_t protocol : {kTcp, kUdp}) {
    const phx_vip_key key = key_of(backend(index, entry.is_ipv6), kNatPort, protocol);
    put("nat_sources", &key, &source);
  }
}

}  // namespace

void fill_balancer(const PutRow& put) {
  phx_vip_filter filter{};
  for (const bool is_ipv6 : {false, true}) {
    put_vip(put, filter, vip(10, is_ipv6), PHX_UNMATCHED_PASS);
    put_vip(put, filter, vip(11, is_ipv6), PHX_UNMATCHED_DROP);
    put_vip(put, filter, vip(12, is_ipv6), PHX_UNMATCHED_REJECT);
  }
  const std::uint32_t zero = 0;
  put("vip_filter", &zero, &filter);
  std::uint16_t index = 0;
  for (const Entry& entry : entries()) {
    const std::uint32_t key = index;
    const phx_backend row = row_of(entry, index);
    put("backends", &key, &row);
    if (entry.forward == PHX_FORWARD_NAT) put_nat_source(put, entry, index);
    ++index;
  }
  std::uint32_t service_index = 0;
  for (const Service& service : services()) put_service(put, service, service_index++);
}

void fill_agent(const PutRow& put) {
  const std::uint32_t one = 1;
  for (const bool is_ipv6 : {false, true}) {
    phx_agent_vip vip_key{};
    std::ranges::copy(vip(10, is_ipv6).address, vip_key.address);
    vip_key.family = family(is_ipv6);
    put("agent_vips", &vip_key, &one);
    phx_agent_node node_key{};
    node_key.prefix_length = 32 + (is_ipv6 ? 128 : 32);
    node_key.family = family(is_ipv6);
    std::ranges::copy(node(is_ipv6).address, node_key.address);
    put("agent_nodes", &node_key, &one);
    for (const int number : {12, 28}) {
      std::ranges::copy(backend(number, is_ipv6).address, node_key.address);
      put("agent_peers", &node_key, &one);
    }
  }
}

const std::vector<Host>& known_hosts() {
  static const std::vector<Host> hosts = [] {
    std::vector<Host> all;
    for (const bool is_ipv6 : {false, true}) {
      all.insert(all.end(), {vip(10, is_ipv6), vip(11, is_ipv6), vip(12, is_ipv6), node(is_ipv6),
                             backend(12, is_ipv6), backend(28, is_ipv6), backend(0, is_ipv6)});
      for (int client = 200; client < 206; ++client) all.push_back(vip(client, is_ipv6));
    }
    return all;
  }();
  return hosts;
}

Address served_vip(bool is_ipv6) {
  return vip(10, is_ipv6).address;
}

const std::vector<std::uint16_t>& service_ports() {
  static const std::vector<std::uint16_t> ports = [] {
    std::vector<std::uint16_t> all;
    for (const Service& service : services()) all.push_back(service.port);
    return all;
  }();
  return ports;
}

const std::vector<std::uint16_t>& known_ports() {
  static const std::vector<std::uint16_t> ports{1, kNatPort, 6080, 40000, 65535, 80, 85};
  return ports;
}

}  // namespace phalanx::fuzz

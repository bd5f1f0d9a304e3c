// SPDX-License-Identifier: Apache-2.0
#include "packet/balancer_setup.hpp"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cstring>

#include "balancer.skel.h"
#include "lib/hash.h"
#include "lib/second_chance.h"

namespace phalanx::bench {
namespace {

constexpr std::uint16_t kBackendPort = 8080;
constexpr std::uint16_t kMtu = 1600;  // known, so that the size of each packet is judged
constexpr std::uint32_t kSlots = 65536;
constexpr Service kServices[] = {{PHX_FAMILY_IPV4, kTcp, kPort},    {PHX_FAMILY_IPV4, kUdp, kPort},
                                 {PHX_FAMILY_IPV6, kTcp, kPort},    {PHX_FAMILY_IPV4, kTcp, kTrackedPort},
                                 {PHX_FAMILY_IPV4, kTcp, kGuePort}, {PHX_FAMILY_IPV4, kTcp, kNatPort},
                                 {PHX_FAMILY_IPV4, kTcp, kHopsPort}};
constexpr const char* kClient[] = {"203.0.113.7", "2001:db8:c::7"};
constexpr const char* kVip[] = {"198.51.100.10", "2001:db8:e::10"};
constexpr const char* kStranger[] = {"198.51.100.99", "2001:db8:e::99"};
constexpr const char* kTunnelSource[] = {"10.0.0.5", "fd00::5"};
constexpr const char* kFirstBackend[] = {"10.0.1.1", "fd00:1::1"};

bool is_ipv6(phx_family family) {
  return family == PHX_FAMILY_IPV6;
}

Frame address(phx_family family, const char* const (&texts)[2]) {
  Frame bytes(is_ipv6(family) ? 16 : 4);
  inet_pton(is_ipv6(family) ? AF_INET6 : AF_INET, texts[is_ipv6(family)], bytes.data());
  return bytes;
}

std::uint32_t index_of(const Service& service) {
  std::uint32_t index = 0;
  while (kServices[index].family != service.family || kServices[index].protocol != service.protocol ||
         kServices[index].port != service.port) {
    index++;
  }
  return index;
}

std::uint64_t seed_of(const Service& service) {
  return 0x9e3779b97f4a7c15 + index_of(service);
}

phx_forward mode_of(const Service& service) {
  if (service.port == kGuePort || service.port == kHopsPort) return PHX_FORWARD_GUE;
  return service.port == kNatPort ? PHX_FORWARD_NAT : PHX_FORWARD_IPIP;
}

// The entries of a mode stand together, and in them those of a family.
std::uint16_t first_entry_of(phx_family family, phx_forward forward) {
  return static_cast<std::uint16_t>(kBackends *
                                    (2u * static_cast<std::uint32_t>(forward) + (is_ipv6(family) ? 1u : 0u)));
}

template <typename Key, typename Value>
void write(const bpf_map* map, const Key& key, const Value& value) {
  if (bpf_map__update_elem(map, &key, sizeof(key), &value, sizeof(value), BPF_ANY) != 0) {
    throw BenchError(std::string("fill the map ") + bpf_map__name(map) + ": the kernel refuses a row");
  }
}

template <typename Value>
Value per_cpu_first_word_sum(const bpf_map* map, std::uint32_t row, std::size_t words) {
  std::vector<std::uint64_t> values(words * static_cast<std::size_t>(libbpf_num_possible_cpus()));
  if (bpf_map__lookup_elem(map, &row, sizeof(row), values.data(), values.size() * 8, 0) != 0) {
    throw BenchError(std::string("read the map ") + bpf_map__name(map) + ": the kernel refuses");
  }
  Value sum = 0;
  for (std::size_t i = 0; i < values.size(); i += words) sum += values[i];
  return sum;
}

void append(Frame& frame, const Frame& more) {
  frame.insert(frame.end(), more.begin(), more.end());
}

// Checksums are left 0: nothing on the path reads them.
Frame frame_to(const Service& service, std::uint8_t tcp_flags, const char* const (&to)[2]) {
  const auto [family, protocol, port] = service;
  const std::uint8_t l4_size = protocol == kTcp ? 20 : 30;
  Frame frame{2, 0, 0, 0, 0xaa, 1, 2, 0, 0, 0, 0xcc, 1};
  if (is_ipv6(family)) {
    append(frame, {0x86, 0xdd, 0x60, 0, 0, 0, 0, l4_size, protocol, 64});
  } else {
    append(frame,
           {0x08, 0, 0x45, 0, 0, static_cast<std::uint8_t>(20 + l4_size), 0, 1, 0x40, 0, 64, protocol, 0, 0});
  }
  append(frame, address(family, kClient));
  append(frame, address(family, to));
  append(frame, {0x9c, 0x40, 0, static_cast<std::uint8_t>(port)});
  const std::size_t l4 = frame.size() - 4;
  frame.resize(l4 + l4_size);
  if (protocol == kTcp) {
    frame[l4 + 12] = 0x50;
    frame[l4 + 13] = tcp_flags;
  } else {
    frame[l4 + 5] = l4_size;
  }
  return frame;
}

}  // namespace

void BalancerSetup::Close::operator()(balancer_bpf* object) const {
  balancer_bpf__destroy(object);
}

BalancerSetup::BalancerSetup() : object_(balancer_bpf__open_and_load()) {
  if (!object_)
    throw BenchError("load the balancer: the kernel refuses it; run as root on Linux 6.1 or newer");
  for (const phx_family family : {PHX_FAMILY_IPV4, PHX_FAMILY_IPV6}) add_backends(family, PHX_FORWARD_IPIP);
  for (const phx_forward forward : {PHX_FORWARD_GUE, PHX_FORWARD_NAT}) add_backends(PHX_FAMILY_IPV4, forward);
  for (const Service& service : kServices) add_service(service);
}

BalancerSetup::~BalancerSetup() = default;

int BalancerSetup::program_fd() const {
  return bpf_program__fd(object_->progs.phalanx_xdp);
}

void BalancerSetup::add_backends(phx_family family, phx_forward forward) {
  for (std::uint32_t i = 0; i < kBackends; i++) {
    phx_backend row{};
    row.state = PHX_STATE_UP | PHX_STATE_REACHABLE;
    row.family = static_cast<std::uint8_t>(family);
    row.forward = static_cast<std::uint8_t>(forward);
    row.port = htons(kBackendPort);
    row.tunnel_port = htons(PHX_DEFAULT_GUE_PORT);
    Frame own = address(family, kFirstBackend);
    own.back() = static_cast<std::uint8_t>(own.back() + i);
    std::copy(own.begin(), own.end(), row.address);
    phx_next_hop& hop = row.next_hop[0];
    const Frame source = address(family, kTunnelSource);
    std::copy(source.begin(), source.end(), hop.tunnel_source);
    hop.destination_mac[0] = hop.source_mac[0] = 2;
    hop.destination_mac[5] = static_cast<std::uint8_t>(i);
    hop.interface = ingress_interface();
    hop.mtu = kMtu;
    write(object_->maps.backends, first_entry_of(family, forward) + i, row);
  }
}

void BalancerSetup::add_service(const Service& service) {
  const auto [family, protocol, port] = service;
  const std::uint32_t index = index_of(service);
  const auto entry = [&](std::uint32_t backend) {
    return static_cast<std::uint16_t>(first_entry_of(service.family, mode_of(service)) + backend % kBackends);
  };
  const std::uint16_t flags = port == kTrackedPort ? PHX_SLOT_TRACKED : 0;
  for (std::uint32_t i = 0; i < kSlots; i++) {
    const std::uint32_t primary = i * 2654435761u % kBackends;
    phx_slot slot{entry(primary), entry(primary + 1), entry(primary + 2), flags};
    if (port == kGuePort) slot.backup = slot.previous = PHX_NO_ENTRY;
    write(object_->maps.slots, index * kSlots + i, slot);
  }
  phx_service row{};
  row.region = phx_region(index * kSlots, kSlots);
  row.seed = seed_of(service);
  write(object_->maps.services, index, row);
  phx_vip_key key{};
  const Frame vip = address(family, kVip);
  std::copy(vip.begin(), vip.end(), key.address);
  key.family = static_cast<std::uint8_t>(family);
  admit(key);
  write(object_->maps.vips, key, phx_vip{PHX_NO_SERVICE, 0});
  key.port = htons(port);
  key.protocol = protocol;
  write(object_->maps.vips, key, phx_vip{index, 0});
  write(object_->maps.vip_cache, phx_vip_cache_index(&key), phx_vip_cache_row{key, index, {}});
}

void BalancerSetup::admit(const phx_vip_key& key) {
  std::uint64_t halves[2];
  std::memcpy(halves, key.address, sizeof(halves));
  const std::uint32_t bit = phx_vip_filter_bit(halves[0], halves[1]);
  filter_.words[bit / 64] |= std::uint64_t{1} << bit % 64;
  write(object_->maps.vip_filter, std::uint32_t{0}, filter_);
}

Expectation BalancerSetup::expectation(const Service& service) {
  const Frame first = address(service.family, kFirstBackend);
  std::uint32_t last_bytes = 0;
  std::memcpy(&last_bytes, first.data() + first.size() - 4, 4);
  Expectation expectation;
  expectation.verdict = XDP_TX;
  expectation.first_backend = ntohl(last_bytes);
  expectation.backends = kBackends;
  expectation.outer_ip = is_ipv6(service.family) ? 40 : 20;
  switch (mode_of(service)) {
    case PHX_FORWARD_GUE:
      expectation.pushed = expectation.outer_ip + 12;
      if (service.port == kHopsPort) expectation.pushed += phx_hops_size(PHX_HOPS_VERSION_0, 2);
      break;
    case PHX_FORWARD_NAT:
      expectation.translated = true;
      break;
    default:
      expectation.pushed = expectation.outer_ip;
  }
  return expectation;
}

std::uint64_t BalancerSetup::packets(const Service& service) const {
  return per_cpu_first_word_sum<std::uint64_t>(object_->maps.service_traffic, index_of(service), 2);
}

std::uint64_t BalancerSetup::counter(phx_counter counter) const {
  return per_cpu_first_word_sum<std::uint64_t>(object_->maps.counters, counter, 1);
}

std::uint64_t BalancerSetup::all_packets() const {
  std::uint64_t all = 0;
  for (const Service& service : kServices) all += packets(service);
  for (std::uint32_t i = 0; i < PHX_COUNTER_COUNT; i++) all += counter(static_cast<phx_counter>(i));
  return all;
}

double BalancerSetup::slots_touched(const Service& service, const Frame& frame, std::uint32_t flows) {
  std::vector<bool> touched(kSlots);
  phx_flow flow{};
  flow.to.protocol = service.protocol;
  flow.to.family = PHX_FAMILY_IPV4;
  flow.to.port = htons(service.port);
  std::copy_n(frame.begin() + 30, 4, flow.to.address);
  for (std::uint32_t i = 0; i < flows; i++) {
    const Frame varied = vary(frame, i);
    std::copy_n(varied.begin() + 26, 4, flow.source);
    std::memcpy(&flow.source_port, varied.data() + 34, 2);
    touched[phx_slot_index(phx_region(0, kSlots), phx_slot_hash(&flow, seed_of(service)))] = true;
  }
  return static_cast<double>(std::count(touched.begin(), touched.end(), true)) / kSlots;
}

Frame frame_to_vip(const Service& service, std::uint8_t tcp_flags) {
  return frame_to(service, tcp_flags, kVip);
}
Frame frame_to_stranger(const Service& service) {
  return frame_to(service, kAck, kStranger);
}

}  // namespace phalanx::bench

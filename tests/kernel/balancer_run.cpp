// SPDX-License-Identifier: Apache-2.0
#include "balancer_run.hpp"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "balancer.skel.h"
#include "headroom.hpp"
#include "lib/hash.h"

namespace phalanx::test {
namespace {

constexpr std::uint32_t kServices = 16;
constexpr std::uint32_t kBackends = 64;
constexpr std::uint32_t kElsewhere = 7777;  // an interface that packets do not come in by
constexpr const char* kLabels[] = {
#define PHX_X(name, label, help) #label,
    PHX_COUNTERS(PHX_X)
#undef PHX_X
};

template <typename Key, typename Value>
void write(const bpf_map* map, const Key& key, const Value& value) {
  require(bpf_map__update_elem(map, &key, sizeof(key), &value, sizeof(value), BPF_ANY) == 0,
          "a row of a map cannot be written");
}

template <typename Value>
Value read(const bpf_map* map, std::uint32_t key) {
  Value value{};
  require(bpf_map__lookup_elem(map, &key, sizeof(key), &value, sizeof(value), 0) == 0,
          "a row of a map cannot be read");
  return value;
}

std::uint16_t network_order(std::uint16_t port) {
  return static_cast<std::uint16_t>(port << 8 | port >> 8);
}

phx_next_hop next_hop(const Backend& backend) {
  phx_next_hop hop{};
  const auto& mac = backend.next_hop_mac;
  std::copy(mac.begin(), mac.end(), hop.destination_mac);
  std::copy(kNodeMac.begin(), kNodeMac.end(), hop.source_mac);
  hop.vlan = backend.vlan;
  hop.mtu = backend.mtu;
  hop.interface = backend.same_interface ? ingress_interface() : kElsewhere;
  if (backend.tunnel_source.empty()) return hop;
  const auto source = map_address(backend.tunnel_source);
  std::copy(source.begin(), source.end(), hop.tunnel_source);
  return hop;
}

phx_vip_key vip_key(const std::string& address, std::uint16_t port, std::uint8_t protocol) {
  phx_vip_key key{};
  const auto bytes = map_address(address);
  std::copy(bytes.begin(), bytes.end(), key.address);
  key.port = network_order(port);
  key.protocol = protocol;
  key.family = map_family(address);
  return key;
}

phx_flow flow_key(const Packet& packet) {
  phx_flow flow{};
  flow.to = vip_key(packet.to().address, packet.to().port, packet.protocol());
  flow.source_port = network_order(packet.from().port);
  const auto source = map_address(packet.from().address);
  std::copy(source.begin(), source.end(), flow.source);
  return flow;
}

}  // namespace

struct BalancerRun::Totals {
  std::vector<std::uint64_t> counters;
  std::vector<Traffic> services;
  std::vector<Traffic> backends;
};

void BalancerRun::Close::operator()(balancer_bpf* object) const {
  balancer_bpf__destroy(object);
}

BalancerRun::BalancerRun(const Settings& settings) : object_(balancer_bpf__open()) {
  require(object_ != nullptr, "the balancer's object cannot be opened");
  object_->rodata->with_nat = settings.with_nat ? 1 : 0;
  object_->rodata->with_agent = settings.with_agent ? 1 : 0;
  const auto& maps = object_->maps;
  for (bpf_map* map : {maps.services, maps.service_traffic}) bpf_map__set_max_entries(map, kServices);
  for (bpf_map* map : {maps.backends, maps.backend_status, maps.backend_traffic}) {
    bpf_map__set_max_entries(map, kBackends);
  }
  bpf_map__set_max_entries(maps.slots, kServices * kSlots);
  bpf_map__set_max_entries(maps.flows, kFlowSets);
  object_->rodata->flow_sets = kFlowSets;
  bpf_map__set_max_entries(maps.fragments, kFragments);
  require(balancer_bpf__load(object_.get()) == 0, "the balancer cannot be loaded");
}

BalancerRun::~BalancerRun() = default;

void BalancerRun::add(const Backend& backend) {
  phx_backend row{};
  row.state = PHX_STATE_UP | PHX_STATE_REACHABLE;
  const auto address = map_address(backend.address);
  std::copy(address.begin(), address.end(), row.address);
  row.family = map_family(backend.address);
  row.forward = static_cast<std::uint8_t>(backend.forward);
  row.port = network_order(backend.port);
  row.tunnel_port = network_order(backend.tunnel_port);
  row.source_bits = backend.source_bits;
  row.next_hop[0] = next_hop(backend);
  write(object_->maps.backends, std::uint32_t{backend.entry}, row);
}

void BalancerRun::set_state(const Backend& backend, std::uint64_t state) {
  auto row = read<phx_backend>(object_->maps.backends, backend.entry);
  row.state = state;
  write(object_->maps.backends, std::uint32_t{backend.entry}, row);
}

void BalancerRun::set_stale(bool stale) {
  phx_liveness row{};
  row.stale = stale ? 1 : 0;
  const std::uint32_t first = 0;
  require(bpf_map_update_elem(map_fd(".data.liveness"), &first, &row, BPF_ANY) == 0,
          "the liveness cannot be written");
}

void BalancerRun::take_down(const Backend& backend) {
  set_state(backend, PHX_STATE_REACHABLE);
}

void BalancerRun::move(const Backend& backend) {
  auto row = read<phx_backend>(object_->maps.backends, backend.entry);
  row.next_hop[1] = next_hop(backend);
  row.state |= PHX_STATE_NEXT_HOP;
  write(object_->maps.backends, std::uint32_t{backend.entry}, row);
}

void BalancerRun::admit(const phx_vip_key& key) {
  auto filter = read<phx_vip_filter>(object_->maps.vip_filter, 0);
  std::uint64_t halves[2];
  std::memcpy(halves, key.address, sizeof(halves));
  const std::uint32_t bit = phx_vip_filter_bit(halves[0], halves[1]);
  filter.words[bit / 64] |= std::uint64_t{1} << bit % 64;
  write(object_->maps.vip_filter, std::uint32_t{0}, filter);
}

void BalancerRun::add_vip(const std::string& address) {
  const phx_vip_key key = vip_key(address, 0, 0);
  admit(key);
  write(object_->maps.vips, key, phx_vip{PHX_NO_SERVICE, 0});
}

void BalancerRun::translate_back(std::uint8_t protocol, const Backend& backend, const Endpoint& vip,
                                 std::uint32_t service) {
  const phx_vip_key key = vip_key(backend.address, backend.port, protocol);
  phx_nat_source source{};
  const auto address = map_address(vip.address);
  std::copy(address.begin(), address.end(), source.vip);
  source.port = network_order(vip.port);
  source.entry = backend.entry;
  source.service = service;
  admit(key);
  write(object_->maps.nat_sources, key, source);
}

void BalancerRun::add_interface(std::uint32_t interface) {
  write(object_->maps.interfaces, interface, interface);
}

void BalancerRun::set_unmatched(const std::string& address, phx_unmatched rule) {
  write(object_->maps.vips, vip_key(address, 0, 0), phx_vip{PHX_NO_SERVICE, rule});
}

void BalancerRun::fill_vip_filter() {
  phx_vip_filter filter;
  std::memset(&filter, 0xff, sizeof(filter));
  write(object_->maps.vip_filter, std::uint32_t{0}, filter);
}

void BalancerRun::point_vip_at(std::uint8_t protocol, const Endpoint& vip, std::uint32_t service) {
  const phx_vip_key key = vip_key(vip.address, vip.port, protocol);
  write(object_->maps.vips, key, phx_vip{service, 0});
  cache(protocol, vip, phx_vip_cache_row{key, service, {}});
}

void BalancerRun::cache(std::uint8_t protocol, const Endpoint& vip, const phx_vip_cache_row& row) {
  const phx_vip_key key = vip_key(vip.address, vip.port, protocol);
  write(object_->maps.vip_cache, phx_vip_cache_index(&key), row);
}

phx_vip_cache_row BalancerRun::cached(std::uint8_t protocol, const Endpoint& vip) const {
  const phx_vip_key key = vip_key(vip.address, vip.port, protocol);
  return read<phx_vip_cache_row>(object_->maps.vip_cache, phx_vip_cache_index(&key));
}

std::uint32_t BalancerRun::serve(std::uint8_t protocol, const Endpoint& vip, const Backend& primary,
                                 const Backend& backup) {
  return serve(protocol, vip, [&](std::uint32_t) {
    return phx_slot{primary.entry, backup.entry, PHX_NO_ENTRY, 0};
  });
}

std::uint32_t BalancerRun::serve(std::uint8_t protocol, const Endpoint& vip,
                                 const std::function<phx_slot(std::uint32_t)>& slot_at, std::uint64_t seed) {
  const std::uint32_t service = services_++;
  for (std::uint32_t i = 0; i < kSlots; i++) write(object_->maps.slots, service * kSlots + i, slot_at(i));
  phx_service row{};
  row.region = phx_region(service * kSlots, kSlots);
  row.seed = seed;
  write(object_->maps.services, service, row);
  add_vip(vip.address);
  point_vip_at(protocol, vip, service);
  return service;
}

void BalancerRun::rewrite_service(std::uint32_t service, const std::function<void(phx_service&)>& change) {
  auto row = read<phx_service>(object_->maps.services, service);
  change(row);
  write(object_->maps.services, service, row);
}

void BalancerRun::rewrite_slots(std::uint32_t service, const phx_slot& slot) {
  for (std::uint32_t i = 0; i < kSlots; i++) write(object_->maps.slots, service * kSlots + i, slot);
}

BalancerRun::FlowPlace BalancerRun::place_of(const Packet& packet) const {
  const phx_flow flow = flow_key(packet);
  phx_vip vip{};
  require(bpf_map__lookup_elem(object_->maps.vips, &flow.to, sizeof(flow.to), &vip, sizeof(vip), 0) == 0,
          "the packet is for no service");
  const std::uint64_t seed = read<phx_service>(object_->maps.services, vip.service).seed;
  const std::uint64_t hash = phx_slot_hash(&flow, seed);
  const std::uint64_t named = (std::uint64_t{vip.service} + 1) << 48 | (hash & 0xffff'ffff'ffff);
  return {static_cast<std::uint32_t>(hash >> 42) % kFlowSets, named};
}

std::optional<phx_flow_owner> BalancerRun::remembered(const Packet& packet) const {
  const FlowPlace place = place_of(packet);
  const auto set = read<phx_flow_set>(object_->maps.flows, place.set);
  for (const phx_flow_row& row : set.rows) {
    if (row.identity == place.identity) return row.owner;
  }
  return {};
}

void BalancerRun::remember(const Packet& packet, const phx_flow_owner& owner) {
  const FlowPlace place = place_of(packet);
  auto set = read<phx_flow_set>(object_->maps.flows, place.set);
  phx_flow_row* free = nullptr;
  for (phx_flow_row& row : set.rows) {
    if (row.identity == place.identity || (free == nullptr && row.identity == PHX_FLOW_FREE)) free = &row;
  }
  require(free != nullptr, "the flow's set is full");
  *free = {place.identity, owner};
  write(object_->maps.flows, place.set, set);
}

std::size_t BalancerRun::flows() const {
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < kFlowSets; i++) {
    for (const phx_flow_row& row : read<phx_flow_set>(object_->maps.flows, i).rows) {
      count += row.identity != PHX_FLOW_FREE ? 1 : 0;
    }
  }
  return count;
}

namespace {

std::vector<phx_datagram> datagrams(const bpf_map* map) {
  std::vector<phx_datagram> keys;
  phx_datagram key{};
  while (bpf_map__get_next_key(map, keys.empty() ? nullptr : &keys.back(), &key, sizeof(key)) == 0) {
    keys.push_back(key);
  }
  return keys;
}

}  // namespace

std::size_t BalancerRun::records() const {
  return datagrams(object_->maps.fragments).size();
}

void BalancerRun::age_records(std::uint32_t seconds) {
  for (const phx_datagram& key : datagrams(object_->maps.fragments)) {
    phx_datagram_owner owner{};
    require(bpf_map__lookup_elem(object_->maps.fragments, &key, sizeof(key), &owner, sizeof(owner), 0) == 0,
            "a row of a map cannot be read");
    owner.seen_s -= seconds;
    write(object_->maps.fragments, key, owner);
  }
}

void BalancerRun::spend_answers() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  const std::uint32_t row = 0;
  std::vector<phx_answers> all(static_cast<std::size_t>(libbpf_num_possible_cpus()),
                               {static_cast<std::uint64_t>(now.tv_sec), PHX_ANSWERS_PER_S});
  require(bpf_map__update_elem(object_->maps.answers, &row, sizeof(row), all.data(),
                               all.size() * sizeof(phx_answers), BPF_ANY) == 0,
          "a row of a per-CPU map cannot be written");
}

int BalancerRun::program_fd() const {
  return bpf_program__fd(object_->progs.phalanx_xdp);
}

int BalancerRun::map_fd(const char* name) const {
  return bpf_object__find_map_fd_by_name(object_->obj, name);
}

BalancerRun::Totals BalancerRun::totals() const {
  Totals totals;
  for (std::uint32_t i = 0; i < PHX_COUNTER_COUNT; i++) {
    totals.counters.push_back(per_cpu_sum<std::uint64_t>(object_->maps.counters, i));
  }
  for (std::uint32_t i = 0; i < kServices; i++) {
    totals.services.push_back(per_cpu_sum<Traffic>(object_->maps.service_traffic, i));
  }
  for (std::uint32_t i = 0; i < kBackends; i++) {
    totals.backends.push_back(per_cpu_sum<Traffic>(object_->maps.backend_traffic, i));
  }
  return totals;
}

Outcome BalancerRun::run(Outcome outcome, std::uint32_t headroom_taken) {
  const auto changes = [](const std::vector<Traffic>& before, const std::vector<Traffic>& after) {
    std::map<std::uint32_t, Traffic> changed;
    for (std::uint32_t i = 0; i < before.size(); i++) {
      if (before[i] == after[i]) continue;
      changed[i] = {after[i].packets - before[i].packets, after[i].bytes - before[i].bytes};
    }
    return changed;
  };
  const Totals before = totals();
  outcome.result = headroom_taken == 0
                       ? run_program(program_fd(), outcome.sent_in, ingress_)
                       : run_program_with_headroom_taken(program_fd(), outcome.sent_in, headroom_taken);
  const Totals after = totals();
  for (std::size_t i = 0; i < before.counters.size(); i++) {
    if (before.counters[i] != after.counters[i]) {
      outcome.counters[kLabels[i]] = after.counters[i] - before.counters[i];
    }
  }
  outcome.service_traffic = changes(before.services, after.services);
  outcome.backend_traffic = changes(before.backends, after.backends);
  return outcome;
}

Outcome BalancerRun::run(const Packet& packet, std::uint32_t headroom_taken) {
  Outcome outcome;
  outcome.sent_in = packet.frame();
  outcome.shape = packet.shape();
  outcome.tag_bytes = packet.tag_bytes();
  outcome.ip = packet.ip();
  outcome.traffic_class = packet.traffic_class();
  return run(std::move(outcome), headroom_taken);
}

Outcome BalancerRun::run(const Bytes& frame) {
  Outcome outcome;
  outcome.sent_in = frame;
  return run(std::move(outcome), 0);
}

Balancer::Balancer() {
  for (const Backend& backend : {b1, b2, b1_over_ipv6, b2_over_ipv6, b3_at_layer_2, b4_elsewhere}) {
    balancer.add(backend);
  }
}

}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
// Reads and stores. Making and opening are in balancer_load.cpp, the state document in balancer_state.cpp.
#include "adapters/bpf/balancer_maps.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>

#include "adapters/bpf/pinned_object.hpp"
#include "lib/flow_table.h"

namespace phalanx::adapters {
namespace {

// A store is seen by the packet path (other CPUs) whole, and after every store before it.
void publish(__u64* word, std::uint64_t value) {
  std::atomic_ref<__u64>(*word).store(value, std::memory_order_release);
}

std::uint64_t observe(__u64* word) {
  return std::atomic_ref<__u64>(*word).load(std::memory_order_acquire);
}

// One value a possible CPU, each at a multiple of 8 bytes.
template <typename Value>
std::vector<Value> read_per_cpu(int map, std::uint32_t index) {
  static_assert(sizeof(Value) % 8 == 0);
  const int cpus = ::libbpf_num_possible_cpus();
  PHX_CHECK(cpus > 0);
  std::vector<Value> values(static_cast<std::size_t>(cpus));
  PHX_CHECK(::bpf_map_lookup_elem(map, &index, values.data()) == 0);
  return values;
}

template <typename Row>
Result<std::vector<std::pair<phx_vip_key, Row>>> read_hash(int map, const char* what,
                                                           const std::string& where) {
  const Result<MapShape> shape = map_shape(map);
  if (!shape) {
    return Failure(shape.error());
  }
  // Room for all rows, so that one call reads the whole map.
  std::vector<phx_vip_key> keys(shape->rows);
  std::vector<Row> values(shape->rows);
  std::uint32_t count = shape->rows;
  std::uint32_t next = 0;
  if (::bpf_map_lookup_batch(map, nullptr, &next, keys.data(), values.data(), &count, nullptr) != 0 &&
      errno != ENOENT) {
    return fail(fmt::format("read {} pinned in {}: {}", what, where, describe_errno(errno)));
  }
  std::vector<std::pair<phx_vip_key, Row>> rows;
  rows.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    rows.emplace_back(keys[i], values[i]);
  }
  return rows;
}

phx_traffic sum_traffic(int map, std::uint32_t index) {
  phx_traffic sum{};
  for (const phx_traffic& traffic : read_per_cpu<phx_traffic>(map, index)) {
    sum.packets += traffic.packets;
    sum.bytes += traffic.bytes;
  }
  return sum;
}

void clear_traffic(int map, std::uint32_t index) {
  const int cpus = ::libbpf_num_possible_cpus();
  PHX_CHECK(cpus > 0);
  const std::vector<phx_traffic> zeros(static_cast<std::size_t>(cpus));
  PHX_CHECK(::bpf_map_update_elem(map, &index, zeros.data(), BPF_ANY) == 0);
}

}  // namespace

phx_slot BalancerMaps::slot(std::uint32_t row) const {
  return std::bit_cast<phx_slot>(observe(reinterpret_cast<__u64*>(slots_.read(row))));
}

phx_service BalancerMaps::service(std::uint32_t index) const {
  return *services_.read(index);
}

phx_backend BalancerMaps::backend(std::uint16_t entry) const {
  return *backends_.read(entry);
}

phx_backend_status BalancerMaps::backend_status(std::uint16_t entry) const {
  phx_backend_status status = *backend_status_.read(entry);
  // A writer in another process may be in the middle of a change.
  status.reason[sizeof(status.reason) - 1] = '\0';
  return status;
}

Result<std::vector<std::pair<phx_vip_key, phx_vip>>> BalancerMaps::vips() const {
  return read_hash<phx_vip>(map(kVips), "the VIPs", where_);
}

Result<std::vector<std::pair<phx_vip_key, phx_nat_source>>> BalancerMaps::nat_sources() const {
  return read_hash<phx_nat_source>(map(kNatSources), "the nat backends", where_);
}

phx_traffic BalancerMaps::service_traffic(std::uint32_t index) const {
  PHX_CHECK(index < services_.size());
  return sum_traffic(map(kServiceTraffic), index);
}

phx_traffic BalancerMaps::backend_traffic(std::uint16_t entry) const {
  PHX_CHECK(entry < backends_.size());
  return sum_traffic(map(kBackendTraffic), entry);
}

std::vector<std::uint64_t> BalancerMaps::counters() const {
  std::vector<std::uint64_t> sums;
  for (std::uint32_t counter = 0; counter < PHX_COUNTER_COUNT; ++counter) {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : read_per_cpu<std::uint64_t>(map(kCounters), counter)) {
      sum += count;
    }
    sums.push_back(sum);
  }
  return sums;
}

std::vector<ports::RememberedFlow> BalancerMaps::next_flows(ports::FlowCursor& cursor) const {
  constexpr std::uint32_t kPiece = 1024;
  std::vector<ports::RememberedFlow> flows;
  const std::uint32_t end = std::min(flows_.size(), cursor.next_set + kPiece);
  for (std::uint32_t set = cursor.next_set; set < end; ++set) {
    for (std::uint32_t way = 0; way < PHX_FLOW_WAYS; ++way) {
      const phx_flow_row& row = flows_.read(set)->rows[way];
      const std::uint64_t identity = phx_flow_row_identity(&row);
      phx_flow_owner owner{};
      if (identity != PHX_FLOW_FREE && identity != PHX_FLOW_CLAIMED &&
          phx_read_flow(&row, identity, &owner) != 0) {
        flows.push_back({set * PHX_FLOW_WAYS + way, identity, owner});
      }
    }
  }
  cursor = {.next_set = end, .ended = end == flows_.size()};
  return flows;
}

std::uint64_t BalancerMaps::flow_table_memory() const {
  return std::uint64_t{flows_.size()} * sizeof(phx_flow_set);
}

void BalancerMaps::forget_flow(const ports::RememberedFlow& flow) {
  phx_flow_row& row = flows_.write(flow.row / PHX_FLOW_WAYS)->rows[flow.row % PHX_FLOW_WAYS];
  __u64 identity = flow.identity;
  std::atomic_ref<__u64>(row.identity).compare_exchange_strong(identity, PHX_FLOW_FREE);
}

void BalancerMaps::store_slot(std::uint32_t row, phx_slot slot) {
  publish(reinterpret_cast<__u64*>(slots_.write(row)), std::bit_cast<std::uint64_t>(slot));
}

void BalancerMaps::store_backend_state(std::uint16_t entry, std::uint64_t state) {
  publish(&backends_.write(entry)->state, state);
}

void BalancerMaps::store_region(std::uint32_t service, std::uint64_t region) {
  publish(&services_.write(service)->region, region);
}

void BalancerMaps::store_source_bits(std::uint16_t entry, std::uint8_t bits) {
  std::atomic_ref<__u8>(backends_.write(entry)->source_bits).store(bits, std::memory_order_release);
}

void BalancerMaps::write_service(std::uint32_t index, const phx_service& service) {
  phx_service* row = services_.write(index);
  row->seed = service.seed;
  row->no_backend = service.no_backend;
  row->track = service.track;
  row->on_down = service.on_down;
  std::memcpy(row->reserved, service.reserved, sizeof(row->reserved));
  publish(&row->region, service.region);
}

void BalancerMaps::write_backend(std::uint16_t entry, const phx_backend& backend) {
  phx_backend* row = backends_.write(entry);
  std::memcpy(reinterpret_cast<char*>(row) + sizeof(row->state),
              reinterpret_cast<const char*>(&backend) + sizeof(row->state),
              sizeof(*row) - sizeof(row->state));
  publish(&row->state, backend.state);
}

void BalancerMaps::write_next_hop(std::uint16_t entry, int row, const phx_next_hop& hop) {
  PHX_CHECK(row == 0 || row == 1);
  backends_.write(entry)->next_hop[row] = hop;
}

void BalancerMaps::write_backend_status(std::uint16_t entry, const phx_backend_status& status) {
  *backend_status_.write(entry) = status;
}

void BalancerMaps::clear_service_traffic(std::uint32_t index) {
  PHX_CHECK(index < services_.size());
  clear_traffic(map(kServiceTraffic), index);
}

void BalancerMaps::clear_backend_traffic(std::uint16_t entry) {
  PHX_CHECK(entry < backends_.size());
  clear_traffic(map(kBackendTraffic), entry);
}

void BalancerMaps::mark_liveness() {
  __u64* mark = &liveness_.write(0)->mark;
  publish(mark, observe(mark) + 1);
}

bool BalancerMaps::liveness_is_stale() const {
  return observe(&liveness_.read(0)->stale) != 0;
}

// The path looks up only what the filter lets through, so that the bit must be there before the row.
void BalancerMaps::admit_to_filter(const phx_vip_key& key) {
  std::uint64_t halves[2];
  std::memcpy(halves, key.address, sizeof(halves));
  const std::uint32_t bit = phx_vip_filter_bit(halves[0], halves[1]);
  __u64* word = &vip_filter_.write(0)->words[bit / 64];
  publish(word, observe(word) | std::uint64_t{1} << bit % 64);
}

// The cache holds nothing that `vips` does not, also when the process is killed in between.
Result<void> BalancerMaps::put_vip(const phx_vip_key& key, const phx_vip& vip) {
  admit_to_filter(key);
  vip_cache_.remove(key);
  if (::bpf_map_update_elem(map(kVips), &key, &vip, BPF_ANY) == 0) {
    vip_cache_.put(key, vip.service);
    return {};
  }
  if (errno == E2BIG) {
    return fail(
        fmt::format("add a VIP at {}: its map is full; raise \"node.limits.services\" ({} rows a service), "
                    "then phalanx down and up",
                    where_, PHX_VIPS_PER_SERVICE));
  }
  return fail(fmt::format("add a VIP at {}: {}", where_, describe_errno(errno)));
}

Result<void> BalancerMaps::remove_vip(const phx_vip_key& key) {
  vip_cache_.remove(key);
  if (::bpf_map_delete_elem(map(kVips), &key) == 0 || errno == ENOENT) {
    return {};
  }
  return fail(fmt::format("remove a VIP at {}: {}", where_, describe_errno(errno)));
}

Result<void> BalancerMaps::put_nat_source(const phx_vip_key& key, const phx_nat_source& source) {
  admit_to_filter(key);
  if (::bpf_map_update_elem(map(kNatSources), &key, &source, BPF_ANY) == 0) {
    return {};
  }
  if (errno == E2BIG) {
    return fail(fmt::format(
        "add a nat backend at {}: its map is full; raise \"node.limits.backends\", then phalanx down and up",
        where_));
  }
  return fail(fmt::format("add a nat backend at {}: {}", where_, describe_errno(errno)));
}

Result<void> BalancerMaps::remove_nat_source(const phx_vip_key& key) {
  if (::bpf_map_delete_elem(map(kNatSources), &key) == 0 || errno == ENOENT) {
    return {};
  }
  return fail(fmt::format("remove a nat backend at {}: {}", where_, describe_errno(errno)));
}

Result<void> BalancerMaps::set_local_agent(int program) {
  const std::uint32_t first = 0;
  if (::bpf_map_update_elem(map(kLocalAgent), &first, &program, BPF_ANY) != 0) {
    return fail(fmt::format("give packets to the agent on this host: {}", describe_errno(errno)));
  }
  return {};
}

Result<void> BalancerMaps::set_interfaces(const std::set<std::uint32_t>& wanted) {
  std::set<std::uint32_t> there;
  std::uint32_t key = 0;
  for (const std::uint32_t* last = nullptr; ::bpf_map_get_next_key(map(kInterfaces), last, &key) == 0;
       last = &key) {
    there.insert(key);
  }
  for (const std::uint32_t interface : there) {
    // The kernel takes out by itself what is unregistered.
    if (!wanted.contains(interface) && ::bpf_map_delete_elem(map(kInterfaces), &interface) != 0 &&
        errno != ENOENT) {
      return fail(fmt::format("keep answers of nat backends from interface {}: {}", interface,
                              describe_errno(errno)));
    }
  }
  // Behind the others, which may have left just room enough.
  for (const std::uint32_t interface : wanted) {
    if (!there.contains(interface) &&
        ::bpf_map_update_elem(map(kInterfaces), &interface, &interface, BPF_ANY) != 0) {
      return fail(fmt::format("let answers of nat backends leave by interface {}: {}", interface,
                              describe_errno(errno)));
    }
  }
  return {};
}

}  // namespace phalanx::adapters

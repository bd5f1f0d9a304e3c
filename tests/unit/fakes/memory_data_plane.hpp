// SPDX-License-Identifier: Apache-2.0
// The maps of the packet path as vectors, for tests: counts every kind of store, and fails where told to.
#pragma once

#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "ports/data_plane.hpp"

namespace phalanx::fakes {

class MemoryDataPlane : public ports::DataPlane {
 public:
  struct Stores {
    int slot = 0;
    int backend_state = 0;
    int region = 0;
    int service = 0;
    int backend = 0;
    int next_hop = 0;
    int backend_status = 0;
    int put_vip = 0;
    int remove_vip = 0;
    int source_bits = 0;
    int put_nat_source = 0;
    int commit = 0;
  };

  explicit MemoryDataPlane(core::Limits limits = {})
      : slots(limits.slots, phx_slot{PHX_NO_ENTRY, PHX_NO_ENTRY, PHX_NO_ENTRY, 0}),
        services(limits.services),
        backends(limits.backends),
        statuses(limits.backends),
        traffic_of_services(limits.services),
        traffic_of_backends(limits.backends),
        totals(PHX_COUNTER_COUNT) {}

  phx_slot slot(std::uint32_t row) const override { return slots.at(row); }
  phx_service service(std::uint32_t index) const override { return services.at(index); }
  phx_backend backend(std::uint16_t entry) const override { return backends.at(entry); }
  phx_backend_status backend_status(std::uint16_t entry) const override { return statuses.at(entry); }
  phx_traffic service_traffic(std::uint32_t index) const override { return traffic_of_services.at(index); }
  phx_traffic backend_traffic(std::uint16_t entry) const override { return traffic_of_backends.at(entry); }
  std::vector<std::uint64_t> counters() const override { return totals; }
  Result<std::vector<std::pair<phx_vip_key, phx_vip>>> vips() const override {
    ++reads_of_vips;
    std::vector<std::pair<phx_vip_key, phx_vip>> all;
    for (const auto& [order, row] : vip_rows) {
      all.push_back(row);
    }
    return all;
  }

  Result<std::vector<std::pair<phx_vip_key, phx_nat_source>>> nat_sources() const override {
    std::vector<std::pair<phx_vip_key, phx_nat_source>> all;
    for (const auto& [order, row] : nat_rows) {
      all.push_back(row);
    }
    return all;
  }

  void store_slot(std::uint32_t row, phx_slot slot) override {
    ++stores.slot;
    slots.at(row) = slot;
  }
  void store_backend_state(std::uint16_t entry, std::uint64_t state) override {
    ++stores.backend_state;
    backends.at(entry).state = state;
  }
  void store_region(std::uint32_t service, std::uint64_t region) override {
    ++stores.region;
    services.at(service).region = region;
  }
  void store_source_bits(std::uint16_t entry, std::uint8_t bits) override {
    ++stores.source_bits;
    backends.at(entry).source_bits = bits;
  }
  void write_service(std::uint32_t index, const phx_service& service) override {
    ++stores.service;
    services.at(index) = service;
  }
  void write_backend(std::uint16_t entry, const phx_backend& backend) override {
    ++stores.backend;
    backends.at(entry) = backend;
  }
  void write_next_hop(std::uint16_t entry, int row, const phx_next_hop& hop) override {
    ++stores.next_hop;
    PHX_CHECK(row == 0 || row == 1);
    backends.at(entry).next_hop[row] = hop;
  }
  void write_backend_status(std::uint16_t entry, const phx_backend_status& status) override {
    ++stores.backend_status;
    statuses.at(entry) = status;
  }
  std::vector<ports::RememberedFlow> next_flows(ports::FlowCursor& cursor) const override {
    cursor.ended = true;
    return flows;
  }
  void forget_flow(const ports::RememberedFlow& flow) override {
    std::erase_if(flows, [&](const ports::RememberedFlow& f) { return f.identity == flow.identity; });
  }
  void clear_service_traffic(std::uint32_t index) override { traffic_of_services.at(index) = {}; }
  void clear_backend_traffic(std::uint16_t entry) override { traffic_of_backends.at(entry) = {}; }
  Result<void> put_vip(const phx_vip_key& key, const phx_vip& vip) override {
    if (++stores.put_vip == fail_put_vip_at) {
      return fail("put a VIP: the map is full");
    }
    vip_rows[order_of(key)] = {key, vip};
    return {};
  }
  Result<void> remove_vip(const phx_vip_key& key) override {
    ++stores.remove_vip;
    vip_rows.erase(order_of(key));
    return {};
  }
  Result<void> put_nat_source(const phx_vip_key& key, const phx_nat_source& source) override {
    if (++stores.put_nat_source == fail_put_nat_source_at) {
      return fail("put a nat backend: the map is full");
    }
    nat_rows[order_of(key)] = {key, source};
    return {};
  }
  Result<void> remove_nat_source(const phx_vip_key& key) override {
    nat_rows.erase(order_of(key));
    return {};
  }
  Result<void> commit(const core::AppliedState& state) override {
    if (++stores.commit == fail_commit_at) {
      return fail("commit the state: it does not fit");
    }
    committed = state;
    return {};
  }

  std::vector<phx_slot> slots;
  std::vector<phx_service> services;
  std::vector<phx_backend> backends;
  std::vector<phx_backend_status> statuses;
  std::vector<phx_traffic> traffic_of_services;
  std::vector<phx_traffic> traffic_of_backends;
  std::vector<std::uint64_t> totals;
  std::vector<ports::RememberedFlow> flows;
  std::optional<core::AppliedState> committed;

  Stores stores;
  mutable int reads_of_vips = 0;
  int fail_put_vip_at = 0;  // the n-th call fails, from 1; 0: none does
  int fail_commit_at = 0;   // likewise
  int fail_put_nat_source_at = 0;

 private:
  using Order = std::tuple<std::string, std::uint16_t, std::uint8_t, std::uint8_t>;
  static Order order_of(const phx_vip_key& key) {
    return {std::string(key.address, key.address + sizeof key.address), key.port, key.protocol, key.family};
  }
  std::map<Order, std::pair<phx_vip_key, phx_vip>> vip_rows;
  std::map<Order, std::pair<phx_vip_key, phx_nat_source>> nat_rows;
};

}  // namespace phalanx::fakes

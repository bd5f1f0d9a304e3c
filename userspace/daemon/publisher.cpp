// SPDX-License-Identifier: Apache-2.0
#include "daemon/publisher.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/contract_rows.hpp"

namespace phalanx::daemon {

namespace {

struct KeyLess {
  bool operator()(const phx_vip_key& a, const phx_vip_key& b) const {
    return std::memcmp(&a, &b, sizeof a) < 0;
  }
};
using VipMap = std::map<phx_vip_key, phx_vip, KeyLess>;
using NatMap = std::map<phx_vip_key, phx_nat_source, KeyLess>;

template <typename Row>
bool is_same_row(const Row& a, const Row& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

// A row that was given up keeps its last state; the same backend coming back to it starts anew.
bool is_same_entry(const phx_backend& pinned, const phx_backend& wanted) {
  return std::memcmp(pinned.address, wanted.address, sizeof pinned.address) == 0 &&
         pinned.port == wanted.port && pinned.family == wanted.family && pinned.forward == wanted.forward &&
         pinned.tunnel_port == wanted.tunnel_port && pinned.state == wanted.state;
}

class Publication {
 public:
  Publication(const core::Engine& engine, ports::DataPlane& plane) : engine_(engine), plane_(plane) {}

  Result<Warnings> run() {
    const auto pinned_vips = plane_.vips();
    const auto pinned_nats = plane_.nat_sources();
    if (!pinned_vips || !pinned_nats) {
      return Failure(pinned_vips ? pinned_nats.error() : pinned_vips.error());
    }
    pinned_ = VipMap(pinned_vips->begin(), pinned_vips->end());
    pinned_nats_ = NatMap(pinned_nats->begin(), pinned_nats->end());
    const auto rows = vip_rows(engine_.services());
    wanted_ = VipMap(rows.begin(), rows.end());
    const auto nats = nat_source_rows(engine_);
    wanted_nats_ = NatMap(nats.begin(), nats.end());
    keep_ways_back_of_former_users();

    write_new_entries();
    write_new_tables();
    auto committed = put_ways_back();
    if (committed) {
      committed = put_vips();
    }
    if (committed) {
      committed = plane_.commit(engine_.applied());
    }
    if (!committed) {
      take_back();
      return Failure(committed.error());
    }
    swing_services();
    return remove_what_is_gone();
  }

 private:
  void write_new_entries() {
    for (const auto& [index, entry] : engine_.entries()) {
      const phx_backend wanted = backend_row(entry);
      if (is_same_entry(plane_.backend(index), wanted)) {
        continue;
      }
      plane_.clear_backend_traffic(index);
      plane_.write_backend_status(index, backend_status_row(entry.status(index)));
      plane_.write_backend(index, wanted);
    }
  }

  // A table that is in place already is patched slot by slot; a fresh one is written where no packet looks.
  void write_new_tables() {
    for (const auto& [index, service] : engine_.services()) {
      const phx_service wanted = service_row(service);
      const phx_service pinned = plane_.service(index);
      for (std::uint32_t slot = 0; slot < service.config.slots; ++slot) {
        const core::SlotStore store = service.row(slot);
        const phx_slot row = slot_row(store);
        const phx_slot now = plane_.slot(store.row);
        if (std::memcmp(&now, &row, sizeof row) != 0) {
          plane_.store_slot(store.row, row);
        }
      }
      if (pinned.region == 0) {
        plane_.clear_service_traffic(index);
        plane_.write_service(index, wanted);
      }
    }
  }

  // Connections of a nat entry that a service uses no more go on as long as their VIP is served, whether the
  // entry lingers or another service uses it.
  void keep_ways_back_of_former_users() {
    for (const auto& [key, source] : pinned_nats_) {
      const auto entry = engine_.entries().find(source.entry);
      if (wanted_nats_.contains(key) || entry == engine_.entries().end() ||
          !is_way_back_of(key, entry->second)) {
        continue;
      }
      phx_vip_key vip{};
      std::memcpy(vip.address, source.vip, sizeof vip.address);
      vip.port = source.port;
      vip.protocol = key.protocol;
      vip.family = key.family;
      if (const auto served = wanted_.find(vip); served != wanted_.end()) {
        phx_nat_source kept = source;
        kept.service = served->second.service;
        wanted_nats_.emplace(key, kept);
      }
    }
  }

  // A row whose VIP moves to another service of the same backend is replaced here: what it answers from now
  // on is the new VIP's.
  Result<void> put_ways_back() {
    for (const auto& [key, source] : wanted_nats_) {
      const auto pinned = pinned_nats_.find(key);
      if (pinned != pinned_nats_.end() && is_same_row(pinned->second, source)) {
        continue;
      }
      if (auto put = plane_.put_nat_source(key, source); !put) {
        return put;
      }
      put_nats_.push_back(key);
    }
    return {};
  }

  Result<void> put_vips() {
    for (const auto& [key, vip] : wanted_) {
      const auto pinned = pinned_.find(key);
      if (pinned != pinned_.end() && is_same_row(pinned->second, vip)) {
        continue;
      }
      if (auto put = plane_.put_vip(key, vip); !put) {
        return put;
      }
      put_.push_back(key);
    }
    return {};
  }

  // Best effort by nature: it undoes what has just succeeded, while a failure is being reported.
  void take_back() {
    for (const phx_vip_key& key : put_) {
      const auto pinned = pinned_.find(key);
      if (pinned != pinned_.end()) {
        (void)plane_.put_vip(key, pinned->second);
      } else {
        (void)plane_.remove_vip(key);
      }
    }
    for (const phx_vip_key& key : put_nats_) {
      const auto pinned = pinned_nats_.find(key);
      if (pinned != pinned_nats_.end()) {
        (void)plane_.put_nat_source(key, pinned->second);
      } else {
        (void)plane_.remove_nat_source(key);
      }
    }
    for (const auto& [index, service] : engine_.services()) {
      const bool was_there = std::ranges::any_of(
          pinned_, [index = index](const auto& row) { return row.second.service == index; });
      if (!was_there) {
        plane_.write_service(index, phx_service{});
      }
    }
  }

  void swing_services() {
    for (const auto& [index, service] : engine_.services()) {
      const phx_service wanted = service_row(service);
      phx_service pinned = plane_.service(index);
      if (pinned.region != wanted.region) {
        plane_.store_region(index, wanted.region);
        pinned.region = wanted.region;
      }
      if (std::memcmp(&pinned, &wanted, sizeof wanted) != 0) {
        plane_.write_service(index, wanted);
      }
    }
  }

  // After the commit point: a VIP that can't be removed is tried again by the next publication.
  Warnings remove_what_is_gone() {
    Warnings warnings;
    for (const auto& [key, vip] : pinned_) {
      if (wanted_.contains(key)) {
        continue;
      }
      if (auto removed = plane_.remove_vip(key); !removed) {
        warnings.push_back(removed.error().message);
      }
    }
    for (const auto& [key, source] : pinned_nats_) {
      if (wanted_nats_.contains(key)) {
        continue;
      }
      if (auto removed = plane_.remove_nat_source(key); !removed) {
        warnings.push_back(removed.error().message);
      }
    }
    for (std::uint32_t index = 0; index < engine_.applied().layout.limits().services; ++index) {
      if (!engine_.services().contains(index) && plane_.service(index).region != 0) {
        plane_.write_service(index, phx_service{});
      }
    }
    return warnings;
  }

  const core::Engine& engine_;
  ports::DataPlane& plane_;
  VipMap pinned_;
  VipMap wanted_;
  std::vector<phx_vip_key> put_;
  NatMap pinned_nats_;
  NatMap wanted_nats_;
  std::vector<phx_vip_key> put_nats_;
};

}  // namespace

Result<Warnings> publish(const core::Engine& engine, ports::DataPlane& plane) {
  return Publication(engine, plane).run();
}

Result<void> forget_way_back(core::EntryIndex entry, ports::DataPlane& plane) {
  const auto rows = plane.nat_sources();
  if (!rows) {
    return Failure(rows.error());
  }
  for (const auto& [key, source] : *rows) {
    if (source.entry != entry) {
      continue;
    }
    if (auto removed = plane.remove_nat_source(key); !removed) {
      return removed;
    }
  }
  return {};
}

}  // namespace phalanx::daemon

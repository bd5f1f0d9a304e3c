// SPDX-License-Identifier: Apache-2.0
// One edge host of a simulated fleet: a real engine and publisher over maps in memory, with virtual time, and
// a flow table of its own.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <vector>

#include "core/engine.hpp"
#include "fakes/memory_data_plane.hpp"
#include "fakes/packet_rules.hpp"
#include "sim/references.hpp"

namespace phalanx::sim {

using FlowNumber = std::uint32_t;

// What is true of the fleet's one service, whoever knows it.
struct Facts {
  core::Config config;
  std::set<Number> dead;
  std::set<Number> drained;

  const core::Service& service() const { return config.services.front(); }
  core::Service& service() { return config.services.front(); }
};

core::Endpoint endpoint_of(Number backend);
Number number_of(const core::Endpoint& endpoint);

// Second-chance replacement, as near to the kernel's LRU hash as the simulation needs.
class FlowTable {
 public:
  FlowTable(std::size_t flows, std::size_t limit)
      : owner_(flows, core::kNoEntry), seen_(flows, 0), limit_(limit) {}

  std::optional<std::uint16_t> find(FlowNumber flow) const;
  void remember(FlowNumber flow, std::uint16_t entry, std::uint32_t step);
  void forget(FlowNumber flow) { owner_[flow] = core::kNoEntry; }
  void forget_entry(std::uint16_t entry);
  // Expires what was not seen since `oldest`, then hands every remembered flow to visit(flow, entry).
  template <typename Visit>
  void sweep(std::uint32_t oldest, Visit visit) {
    std::erase_if(order_, [&](const Place& place) {
      const FlowNumber flow = place.flow;
      if (owner_[flow] == core::kNoEntry || seen_[flow] < oldest) {
        owner_[flow] = core::kNoEntry;
        return true;
      }
      visit(flow, owner_[flow]);
      return false;
    });
  }
  std::size_t size() const { return order_.size(); }
  std::uint64_t evicted() const { return evicted_; }

 private:
  struct Place {
    FlowNumber flow;
    std::uint32_t queued;
  };
  std::vector<std::uint16_t> owner_;
  std::vector<std::uint32_t> seen_;
  std::deque<Place> order_;
  std::size_t limit_;
  std::uint64_t evicted_ = 0;
};

class SimNode {
 public:
  SimNode(const core::Limits& limits, std::size_t flows, core::Now now)
      : plane_(limits), engine_(limits), flows_(flows, limits.flows), now_(now) {}

  void apply(const Facts& facts);
  void tell(const Facts& facts, Number backend);
  void say(const Facts& facts, Number backend);
  void advance(std::chrono::milliseconds duration);
  void sweep(std::uint32_t step, std::uint32_t window_steps);

  // Where a packet goes; kNobody: nowhere. with_flow_table: else by the slot alone.
  // A SYN is of a new connection, whose tuple nobody remembers.
  Number send(FlowNumber flow, std::uint64_t hash, fakes::PacketKind kind, std::uint32_t step);
  Number send_by_slot_alone(std::uint64_t hash) const;

  const core::Engine& engine() const { return engine_; }
  const core::ServiceInForce& service() const { return engine_.services().begin()->second; }
  phx_slot row(std::uint64_t hash) const;
  Number number(core::EntryIndex entry) const { return entry == core::kNoEntry ? kNobody : numbers_[entry]; }
  const FlowTable& flows() const { return flows_; }

 private:
  void step(const core::Event& event);
  void carry_out(const core::Action& action);
  void finish_idle_work();
  std::uint64_t state_of(std::uint16_t entry) const {
    return entry == PHX_NO_ENTRY ? 0 : plane_.backends[entry].state;
  }

  fakes::MemoryDataPlane plane_;
  core::Engine engine_;
  FlowTable flows_;
  std::vector<Number> numbers_;  // by entry
  core::Now now_;
};

}  // namespace phalanx::sim

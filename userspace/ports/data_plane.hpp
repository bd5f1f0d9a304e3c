// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <lib/hash.h>
#include <phalanx.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/applied_state.hpp"
#include "core/result.hpp"

namespace phalanx::ports {

// A row of the flow table that holds a flow.
struct RememberedFlow {
  std::uint32_t row;       // in the table
  std::uint64_t identity;  // phx_flow_identity
  phx_flow_owner owner;

  std::uint32_t service() const { return static_cast<std::uint32_t>(identity >> 48) - 1; }
  std::uint64_t hash() const { return identity & 0xffff'ffff'ffff; }  // its lower 48 bits
};

// Where a walk through the flow table is.
struct FlowCursor {
  std::uint32_t next_set = 0;
  bool ended = false;
};

// What the packet path and the control plane share, read only. Values are copies, in the units and byte
// orders of phalanx.h. Indices beyond the maps' ends are programmer errors.
class DataPlaneView {
 public:
  virtual ~DataPlaneView() = default;

  virtual phx_slot slot(std::uint32_t row) const = 0;
  virtual phx_service service(std::uint32_t index) const = 0;
  virtual phx_backend backend(std::uint16_t entry) const = 0;
  virtual phx_backend_status backend_status(std::uint16_t entry) const = 0;
  virtual Result<std::vector<std::pair<phx_vip_key, phx_vip>>> vips() const = 0;
  virtual Result<std::vector<std::pair<phx_vip_key, phx_nat_source>>> nat_sources() const = 0;
  // Sums over all CPUs.
  virtual phx_traffic service_traffic(std::uint32_t index) const = 0;
  virtual phx_traffic backend_traffic(std::uint16_t entry) const = 0;
  virtual std::vector<std::uint64_t> counters() const = 0;  // by enum phx_counter

  // What a piece of the flow table holds (about ten thousand rows: a fraction of a millisecond), from
  // `cursor` on; nothing, perhaps. The walk is over when `cursor` has ended. Flows that come and go meanwhile
  // may be seen or not.
  virtual std::vector<RememberedFlow> next_flows(FlowCursor& cursor) const = 0;
};

// The stores that change what the packet path sees. Each takes effect for the next packet; the order of calls
// is the order of stores. Not thread-safe; at most one writer has a pin directory (a lock sees to it).
class DataPlane : public DataPlaneView {
 public:
  // One aligned 8-byte store each.
  virtual void store_slot(std::uint32_t row, phx_slot slot) = 0;
  virtual void store_backend_state(std::uint16_t entry, std::uint64_t state) = 0;
  virtual void store_region(std::uint32_t service, std::uint64_t region) = 0;
  // One byte.
  virtual void store_source_bits(std::uint16_t entry, std::uint8_t bits) = 0;

  // Plain writes: only to rows that no packet can name yet, or to the row of next_hop[] that is not live.
  virtual void write_service(std::uint32_t index, const phx_service& service) = 0;
  virtual void write_backend(std::uint16_t entry, const phx_backend& backend) = 0;
  virtual void write_next_hop(std::uint16_t entry, int row, const phx_next_hop& hop) = 0;
  virtual void write_backend_status(std::uint16_t entry, const phx_backend_status& status) = 0;

  // Sets the traffic of a row to zero, which is about to be given to somebody else.
  virtual void clear_service_traffic(std::uint32_t index) = 0;
  virtual void clear_backend_traffic(std::uint16_t entry) = 0;

  // Takes a flow out of the flow table; it may be gone already, and its row another one's.
  virtual void forget_flow(const RememberedFlow& flow) = 0;

  virtual Result<void> put_vip(const phx_vip_key& key, const phx_vip& vip) = 0;
  virtual Result<void> remove_vip(const phx_vip_key& key) = 0;

  virtual Result<void> put_nat_source(const phx_vip_key& key, const phx_nat_source& source) = 0;
  virtual Result<void> remove_nat_source(const phx_vip_key& key) = 0;

  // Makes `state` the one that the next start adopts: the commit point of a change of configuration.
  // Fails, naming the key of node.limits, when it does not fit.
  virtual Result<void> commit(const core::AppliedState& state) = 0;
};

}  // namespace phalanx::ports

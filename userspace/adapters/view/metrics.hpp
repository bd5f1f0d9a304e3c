// SPDX-License-Identifier: Apache-2.0
// The state and the counters as Prometheus metrics.
#pragma once

#include <cstdint>
#include <string>

#include "adapters/view/views.hpp"
#include "core/applied_state.hpp"
#include "ports/data_plane.hpp"

namespace phalanx::adapters {

// What the daemon knows of the flow table, from sweeping it.
struct FlowFigures {
  std::uint64_t occupancy = 0;     // flows remembered, as of the last sweep
  std::uint64_t limit = 0;         // node.limits.flows
  std::uint64_t expired = 0;       // taken out because they were idle or closed
  std::uint64_t evicted = 0;       // pushed out by newer ones while the table was full
  std::uint64_t memory_bytes = 0;  // that the kernel holds for the table
};

// What the daemon counts of its own doing.
struct DaemonFigures {
  double start_time_s = 0;  // wall clock, s since 1970
  std::uint64_t probes_passed = 0;
  std::uint64_t probes_failed = 0;
  std::uint64_t probes_inconclusive = 0;
  std::uint64_t health_changes = 0;
  std::uint64_t reloads_applied = 0;
  std::uint64_t reloads_refused = 0;
  FlowFigures flows;
};

inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

// Text exposition format 0.0.4, escaped as it asks. Services that share a backend entry each show the entry's
// packets, bytes and flows, so sums over backends count those more than once; sums over services do not.
// phalanx_service_redundancy counts down: 3 full, 2 last zone, 1 last backend, 0 none; below 3 is an alarm.
std::string metrics_text(const core::AppliedState& state, const ports::DataPlaneView& data,
                         const StatusInputs& inputs, const DaemonFigures& figures);

}  // namespace phalanx::adapters

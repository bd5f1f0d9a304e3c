// SPDX-License-Identifier: Apache-2.0
// Walks through the flow table, a piece at a time: expires what is idle or of slots that are tracked no more,
// and counts what lives elsewhere.
#pragma once

#include <cstdint>
#include <optional>

#include "core/engine.hpp"
#include "core/event.hpp"
#include "ports/data_plane.hpp"

namespace phalanx::daemon {

// A flow that is idle longer than this is over: nothing of it will come.
inline constexpr std::uint32_t kClosingIdle_s =
    30;  // after a FIN or RST: a retransmitted last ACK may still come
inline constexpr std::uint32_t kUdpIdle_s = 60;

class FlowSweeper {
 public:
  explicit FlowSweeper(ports::DataPlane& plane) : plane_(plane) {}

  // Begins a walk.
  void begin();
  bool under_way() const { return under_way_; }

  // One piece of the walk, a fraction of a millisecond. now_s: CLOCK_MONOTONIC. What was found, when the walk
  // is over. A TCP flow is idle after its service's transition.
  std::optional<core::FlowsSwept> step(const core::Engine& engine, std::uint32_t now_s);

  // Takes every flow of an entry out of the table, at once.
  void forget_flows_of(core::EntryIndex entry);

  // All as of the last whole walk; counted since this object was made.
  std::uint32_t occupancy() const { return occupancy_; }
  std::uint64_t expired() const { return expired_; }
  // Pushed out by newer flows while the table was full: what came in and neither expired nor is there.
  std::uint64_t evicted() const { return evicted_; }

 private:
  void forget(const ports::RememberedFlow& flow);
  void finish();
  void judge(const ports::RememberedFlow& flow, const core::Engine& engine, std::uint32_t now_s);

  ports::DataPlane& plane_;
  bool under_way_ = false;
  ports::FlowCursor cursor_;
  core::FlowsSwept found_;
  std::uint32_t seen_ = 0;
  std::uint32_t occupancy_ = 0;
  std::uint64_t expired_ = 0;
  std::uint64_t evicted_ = 0;
  std::uint64_t remembered_ = 0;  // the path's counter when this walk began
  // What had come in before the first walk ended: it may have left without being seen.
  std::optional<std::uint64_t> remembered_before_;
};

}  // namespace phalanx::daemon

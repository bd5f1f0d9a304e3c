// SPDX-License-Identifier: Apache-2.0
#include "daemon/flow_sweeper.hpp"

#include <algorithm>
#include <utility>

namespace phalanx::daemon {

namespace {

std::uint32_t idle_limit_s(const phx_flow_owner& owner, const core::Service& service) {
  const auto transition_s = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(service.transition).count());
  if ((owner.flags & PHX_FLOW_CLOSING) != 0) {
    return std::min(kClosingIdle_s, transition_s);
  }
  return (owner.flags & PHX_FLOW_UDP) != 0 ? std::min(kUdpIdle_s, transition_s) : transition_s;
}

}  // namespace

void FlowSweeper::begin() {
  under_way_ = true;
  cursor_ = {};
  found_ = {};
  seen_ = 0;
  remembered_ = plane_.counters().at(PHX_COUNTER_REMEMBERED);
}

std::optional<core::FlowsSwept> FlowSweeper::step(const core::Engine& engine, std::uint32_t now_s) {
  PHX_CHECK(under_way_);
  for (const ports::RememberedFlow& flow : plane_.next_flows(cursor_)) {
    judge(flow, engine, now_s);
  }
  if (!cursor_.ended) {
    return std::nullopt;
  }
  finish();
  return std::exchange(found_, {});
}

void FlowSweeper::finish() {
  under_way_ = false;
  occupancy_ = seen_;
  if (!remembered_before_) {
    remembered_before_ = remembered_ - std::min<std::uint64_t>(remembered_, seen_ + expired_);
  }
  const std::uint64_t gone = remembered_ - *remembered_before_;
  evicted_ = std::max(evicted_, gone - std::min<std::uint64_t>(gone, expired_ + occupancy_));
}

void FlowSweeper::forget(const ports::RememberedFlow& flow) {
  plane_.forget_flow(flow);
  ++expired_;
}

void FlowSweeper::forget_flows_of(core::EntryIndex entry) {
  for (ports::FlowCursor cursor; !cursor.ended;) {
    for (const ports::RememberedFlow& flow : plane_.next_flows(cursor)) {
      if (flow.owner.entry == entry) {
        forget(flow);
      }
    }
  }
}

void FlowSweeper::judge(const ports::RememberedFlow& flow, const core::Engine& engine, std::uint32_t now_s) {
  const auto service = engine.services().find(flow.service());
  if (service == engine.services().end()) {
    return forget(flow);
  }
  const core::ServiceInForce& s = service->second;
  const std::uint32_t slot = static_cast<std::uint32_t>(flow.hash()) & (s.config.slots - 1);
  // A slot that is tracked no more had no flow elsewhere; kept, its memory would mislead a later connection.
  const bool is_tracked = s.config.track == core::Track::all || s.transitions.find(slot) != nullptr;
  // The path may have seen the flow since now_s was read: that is not idle for four thousand million seconds.
  const std::uint32_t idle_s = now_s > flow.owner.seen_s ? now_s - flow.owner.seen_s : 0;
  if (!is_tracked || idle_s > idle_limit_s(flow.owner, s.config)) {
    return forget(flow);
  }
  ++seen_;
  ++found_.flows[flow.owner.entry];
  if (s.entry_of(s.table->server(slot)) != flow.owner.entry) {
    found_.slots_with_flows_elsewhere[service->first].insert(slot);
  }
}

}  // namespace phalanx::daemon

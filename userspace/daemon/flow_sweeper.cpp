// SPDX-License-Identifier: Apache-2.0
#include "daemon/flow_sweeper.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "daemon/contract_rows.hpp"

namespace phalanx::daemon {

namespace {

std::string bytes_of(const phx_vip_key& key) {
  return {reinterpret_cast<const char*>(&key), sizeof key};
}

std::uint32_t idle_limit_s(const phx_flow& flow, const phx_flow_owner& owner, const core::Service& service) {
  const auto transition_s = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(service.transition).count());
  if ((owner.flags & PHX_FLOW_CLOSING) != 0) {
    return std::min(kClosingIdle_s, transition_s);
  }
  return flow.to.protocol == IPPROTO_UDP ? std::min(kUdpIdle_s, transition_s) : transition_s;
}

}  // namespace

void FlowSweeper::begin(const core::Engine& engine) {
  under_way_ = true;
  cursor_ = {};
  found_ = {};
  seen_ = 0;
  remembered_ = plane_.counters().at(PHX_COUNTER_REMEMBERED);
  services_.clear();
  for (const auto& [key, vip] : vip_rows(engine.services())) {
    if (vip.service != PHX_NO_SERVICE) {
      services_.emplace(bytes_of(key), vip.service);
    }
  }
}

Result<std::optional<core::FlowsSwept>> FlowSweeper::step(const core::Engine& engine, std::uint32_t now_s) {
  PHX_CHECK(under_way_);
  const auto flows = plane_.next_flows(cursor_);
  if (!flows) {
    under_way_ = false;
    return Failure(flows.error());
  }
  for (const ports::RememberedFlow& flow : *flows) {
    judge(flow, engine, now_s);
  }
  if (!flows->empty()) {
    return std::optional<core::FlowsSwept>();
  }
  finish();
  return std::optional<core::FlowsSwept>(std::exchange(found_, {}));
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

void FlowSweeper::forget(const phx_flow& flow) {
  plane_.forget_flow(flow);
  ++expired_;
}

Result<void> FlowSweeper::forget_flows_of(core::EntryIndex entry) {
  ports::FlowCursor cursor;
  while (true) {
    const auto flows = plane_.next_flows(cursor);
    if (!flows) {
      return Failure(flows.error());
    }
    if (flows->empty()) {
      return {};
    }
    for (const ports::RememberedFlow& remembered : *flows) {
      if (remembered.owner.entry == entry) {
        forget(remembered.flow);
      }
    }
  }
}

void FlowSweeper::judge(const ports::RememberedFlow& remembered, const core::Engine& engine,
                        std::uint32_t now_s) {
  const auto index = services_.find(bytes_of(remembered.flow.to));
  const auto service =
      index == services_.end() ? engine.services().end() : engine.services().find(index->second);
  if (service == engine.services().end()) {
    return forget(remembered.flow);
  }
  const core::ServiceInForce& s = service->second;
  const std::uint64_t hash = phx_slot_hash(&remembered.flow, s.config.seed);
  const std::uint32_t slot = static_cast<std::uint32_t>(hash) & (s.config.slots - 1);
  // A slot that is tracked no more had no flow elsewhere; kept, its memory would mislead a later connection.
  const bool is_tracked = s.config.track == core::Track::all || s.transitions.find(slot) != nullptr;
  // The path may have seen the flow since now_s was read: that is not idle for four thousand million seconds.
  const std::uint32_t idle_s = now_s > remembered.owner.seen_s ? now_s - remembered.owner.seen_s : 0;
  if (!is_tracked || idle_s > idle_limit_s(remembered.flow, remembered.owner, s.config)) {
    return forget(remembered.flow);
  }
  ++seen_;
  ++found_.flows[remembered.owner.entry];
  if (s.entry_of(s.table->server(slot)) != remembered.owner.entry) {
    found_.slots_with_flows_elsewhere[service->first].insert(slot);
  }
}

}  // namespace phalanx::daemon

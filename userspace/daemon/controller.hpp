// SPDX-License-Identifier: Apache-2.0
// The engine in the world: events from the loop go in, actions are carried out in their order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "adapters/loop/event_loop.hpp"
#include "core/engine.hpp"
#include "core/result.hpp"
#include "daemon/flow_sweeper.hpp"
#include "ports/data_plane.hpp"
#include "ports/next_hops.hpp"
#include "ports/prober.hpp"

namespace phalanx::daemon {

// Not thread-safe; everything happens on the loop's thread.
class Controller {
 public:
  using Listener = std::function<void(const core::Announce&)>;

  // All references must outlive the controller. listener hears every event that operators should know.
  Controller(adapters::EventLoop& loop, ports::DataPlane& plane, ports::NextHops& next_hops,
             Listener listener);

  // Publishes `next` and, if that held, puts it in force: watches the next hops that it needs. The sentence
  // of a failure is publish()'s; the former engine stays in force then.
  Result<void> put_in_force(core::Engine next);

  // From here on entries are probed, and the flow table is swept while flows may be remembered. Without it
  // (`phalanx up`) every entry keeps the health that it has.
  void start_probing(ports::Prober& prober);

  void handle(const core::Event& event);

  // The operator's word, made durable before it is answered. service and backend must be in force.
  Result<void> speak(const std::string& service, const core::Endpoint& backend, core::Word word);

  // The operator's word about the whole node, made durable likewise.
  Result<void> drain_node(bool drained);

  // Handles the work that yields to everything else, to its end.
  void finish_idle_work();
  bool has_idle_work() const { return engine_.has_idle_work(); }

  const core::Engine& engine() const { return engine_; }
  const FlowSweeper& sweeper() const { return sweeper_; }
  std::uint64_t health_changes() const { return health_changes_; }

 private:
  void carry_out(const core::Actions& actions);
  void carry_out(const core::StoreEntryState& action);
  void carry_out(const core::WriteNextHop& action);
  void carry_out(const core::StoreSourceBits& action);
  void carry_out(const core::WriteEntryStatus& action);
  void carry_out(const core::PatchSlots& action);
  void carry_out(const core::StartProbe& action);
  void carry_out(const core::ForgetFlows& action);
  void carry_out(const core::ForgetWayBack& action);
  void carry_out(const core::CommitState& action);
  void carry_out(const core::Announce& action);
  void begin_sweep();
  void sweep();
  void follow_next_hops();
  void arm();

  ports::DataPlane& plane_;
  ports::NextHops& next_hops_;
  ports::Prober* prober_ = nullptr;
  Listener listener_;
  core::Engine engine_;
  std::set<core::Address> watched_;
  std::uint64_t health_changes_ = 0;
  FlowSweeper sweeper_;
  adapters::EventLoop::Source timer_;
  adapters::EventLoop::Source idle_;
  adapters::EventLoop::Source sweep_timer_;
  adapters::EventLoop::Source sweep_idle_;
};

core::Now read_clocks();

}  // namespace phalanx::daemon

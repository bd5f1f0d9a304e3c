// SPDX-License-Identifier: Apache-2.0
#include "daemon/controller.hpp"

#include <spdlog/spdlog.h>

#include <set>
#include <utility>
#include <variant>

#include "daemon/contract_rows.hpp"
#include "daemon/publisher.hpp"

namespace phalanx::daemon {

namespace {

// Between sweeps of the flow table, while flows may be remembered.
constexpr std::chrono::seconds kSweepInterval{1};

}  // namespace

core::Now read_clocks() {
  return {std::chrono::steady_clock::now(), std::chrono::system_clock::now()};
}

Controller::Controller(adapters::EventLoop& loop, ports::DataPlane& plane, ports::NextHops& next_hops,
                       Listener listener)
    : plane_(plane),
      next_hops_(next_hops),
      listener_(std::move(listener)),
      engine_(core::Limits{}),
      sweeper_(plane),
      timer_(loop.timer([this] { handle(core::TimerFired{}); })),
      idle_(loop.idle([this] { handle(core::Idle{}); })),
      sweep_timer_(loop.timer([this] { begin_sweep(); })),
      sweep_idle_(loop.idle([this] { sweep(); })) {}

Result<void> Controller::put_in_force(core::Engine next) {
  auto published = publish(next, plane_);
  if (!published) {
    return Failure(published.error());
  }
  for (const std::string& warning : *published) {
    spdlog::warn("{}", warning);
  }
  engine_ = std::move(next);
  follow_next_hops();
  arm();
  return {};
}

void Controller::follow_next_hops() {
  std::set<core::Address> wanted;
  for (const auto& [index, entry] : engine_.entries()) {
    wanted.insert(entry.identity.endpoint.address);
  }
  // New ones are watched before old ones are let go, so that a gateway both need stays resolved.
  for (const core::Address& address : wanted) {
    if (watched_.insert(address).second) {
      next_hops_.watch(address);
    }
  }
  std::erase_if(watched_, [&](const core::Address& address) {
    if (wanted.contains(address)) {
      return false;
    }
    next_hops_.unwatch(address);
    return true;
  });
}

void Controller::start_probing(ports::Prober& prober) {
  prober_ = &prober;
  arm();
  sweep_timer_.arm(std::chrono::steady_clock::now() + kSweepInterval);
}

void Controller::begin_sweep() {
  if (engine_.wants_sweep()) {
    sweeper_.begin();
    sweep_idle_.arm();
  } else {
    sweep_timer_.arm(std::chrono::steady_clock::now() + kSweepInterval);
  }
}

void Controller::sweep() {
  const auto now = std::chrono::steady_clock::now();
  const auto now_s = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  if (auto swept = sweeper_.step(engine_, static_cast<std::uint32_t>(now_s))) {
    handle(std::move(*swept));
  }
  if (sweeper_.under_way()) {
    sweep_idle_.arm();
  } else {
    sweep_timer_.arm(now + kSweepInterval);
  }
}

void Controller::handle(const core::Event& event) {
  carry_out(engine_.step(event, read_clocks()));
  arm();
}

Result<void> Controller::speak(const std::string& service, const core::Endpoint& backend, core::Word word) {
  handle(core::OverrideRequested{service, backend, word});
  return plane_.commit(engine_.applied());
}

Result<void> Controller::drain_node(bool drained) {
  handle(core::NodeDrainRequested{drained});
  return plane_.commit(engine_.applied());
}

void Controller::finish_idle_work() {
  while (engine_.has_idle_work()) {
    handle(core::Idle{});
  }
}

void Controller::arm() {
  if (engine_.has_idle_work()) {
    idle_.arm();
  }
  const auto wake = engine_.wake_at();
  if (prober_ != nullptr && wake) {
    timer_.arm(*wake);
  }
}

void Controller::carry_out(const core::Actions& actions) {
  for (const core::Action& action : actions) {
    std::visit([this](const auto& a) { carry_out(a); }, action);
  }
}

void Controller::carry_out(const core::StoreEntryState& action) {
  plane_.store_backend_state(action.entry, state_word(action));
}

void Controller::carry_out(const core::WriteNextHop& action) {
  plane_.write_next_hop(action.entry, action.row, next_hop_row(action.hop));
}

void Controller::carry_out(const core::StoreSourceBits& action) {
  plane_.store_source_bits(action.entry, static_cast<std::uint8_t>(action.bits));
}

void Controller::carry_out(const core::WriteEntryStatus& action) {
  ++health_changes_;
  plane_.write_backend_status(action.entry, backend_status_row(action));
}

void Controller::carry_out(const core::PatchSlots& action) {
  for (const core::SlotStore& store : action.stores) {
    plane_.store_slot(store.row, slot_row(store));
  }
}

void Controller::carry_out(const core::StartProbe& action) {
  PHX_CHECK(prober_ != nullptr);
  prober_->start({action.attempt, action.target, action.check});
}

void Controller::carry_out(const core::ForgetFlows& action) {
  sweeper_.forget_flows_of(action.entry);
}

void Controller::carry_out(const core::ForgetWayBack& action) {
  if (auto forgotten = forget_way_back(action.entry, plane_); !forgotten) {
    spdlog::error("{}", forgotten.error().message);
  }
}

void Controller::carry_out(const core::CommitState&) {
  if (auto committed = plane_.commit(engine_.applied()); !committed) {
    spdlog::error("{}", committed.error().message);
  }
}

void Controller::carry_out(const core::Announce& action) {
  listener_(action);
}

}  // namespace phalanx::daemon

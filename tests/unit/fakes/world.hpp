// SPDX-License-Identifier: Apache-2.0
// An engine over maps in memory, with time that only tests move: what the controller does, without a loop.
#pragma once

#include <gtest/gtest.h>
#include <phalanx.h>

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/engine.hpp"
#include "daemon/contract_rows.hpp"
#include "daemon/publisher.hpp"
#include "fakes/memory_data_plane.hpp"

namespace phalanx::fakes {

inline core::Address ipv4(int a, int b, int c, int d) {
  core::Address address;
  address.bytes = {static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b), static_cast<std::uint8_t>(c),
                   static_cast<std::uint8_t>(d)};
  return address;
}

inline core::Backend backend(const std::string& name, int last_byte, std::uint16_t weight = 100) {
  return {.name = name, .endpoint = {ipv4(10, 0, 1, last_byte), 80}, .weight = weight, .zone = {}, .tier = 0};
}

inline core::Check http_check() {
  core::Check check;
  check.type = core::CheckType::http;
  check.interval = std::chrono::milliseconds(100);
  check.timeout = std::chrono::milliseconds(80);
  return check;
}

inline core::Service service(const std::string& name, int vip, std::vector<core::Backend> backends) {
  core::Service service;
  service.name = name;
  service.vips = {ipv4(203, 0, 113, vip)};
  service.protocols = {core::Protocol::tcp};
  service.port = 80;
  service.check_name = "web";
  service.check = http_check();
  service.slots = PHX_MIN_SLOTS;
  service.seed = 7;
  service.backends = std::move(backends);
  return service;
}

inline core::Config config(std::vector<core::Service> services, core::Limits limits = {}) {
  core::Config config;
  config.node.name = "edge-a";
  config.node.interfaces = {"eth0"};
  config.node.limits = limits;
  config.services = std::move(services);
  return config;
}

// What the controller does with an action that concerns the maps; the others are left to the caller.
inline void carry_out(const core::Action& action, const core::Engine& engine, ports::DataPlane& plane) {
  if (const auto* a = std::get_if<core::StoreEntryState>(&action)) {
    plane.store_backend_state(a->entry, daemon::state_word(*a));
  } else if (const auto* hop = std::get_if<core::WriteNextHop>(&action)) {
    plane.write_next_hop(hop->entry, hop->row, daemon::next_hop_row(hop->hop));
  } else if (const auto* source = std::get_if<core::StoreSourceBits>(&action)) {
    plane.store_source_bits(source->entry, static_cast<std::uint8_t>(source->bits));
  } else if (const auto* way_back = std::get_if<core::ForgetWayBack>(&action)) {
    ASSERT_TRUE(daemon::forget_way_back(way_back->entry, plane));
  } else if (const auto* status = std::get_if<core::WriteEntryStatus>(&action)) {
    plane.write_backend_status(status->entry, daemon::backend_status_row(*status));
  } else if (const auto* patch = std::get_if<core::PatchSlots>(&action)) {
    for (const core::SlotStore& store : patch->stores) {
      plane.store_slot(store.row, daemon::slot_row(store));
    }
  } else if (const auto* forget = std::get_if<core::ForgetFlows>(&action)) {
    for (ports::FlowCursor cursor; !cursor.ended;) {
      for (const ports::RememberedFlow& flow : plane.next_flows(cursor)) {
        if (flow.owner.entry == forget->entry) {
          plane.forget_flow(flow);
        }
      }
    }
  } else if (std::holds_alternative<core::CommitState>(action)) {
    ASSERT_TRUE(plane.commit(engine.applied()));
  }
}

class World {
 public:
  explicit World(core::Limits limits = {}) : plane(limits), engine(limits) {}

  Result<void> apply(const core::Config& next) { return apply(next, engine.applied().overrides); }
  Result<void> apply(const core::Config& next, const core::Overrides& overrides) {
    auto proposal = engine.propose(next, overrides, now.steady);
    if (!proposal) {
      return Failure(proposal.error());
    }
    for (core::TableBuild& build : proposal->builds) {
      build.run();
    }
    return put_in_force(engine.successor(*proposal, now));
  }

  // A new process on the same maps: nothing is known but what is pinned.
  Result<void> restart() {
    const core::AppliedState pinned = *plane.committed;
    const auto facts = daemon::read_facts(pinned, plane);
    auto proposal = core::Engine::adopt(pinned, facts);
    for (core::TableBuild& build : proposal.builds) {
      build.run();
    }
    return put_in_force(core::Engine(pinned.layout.limits()).successor(proposal, facts, now));
  }

  void step(const core::Event& event) {
    for (core::Action& action : engine.step(event, now)) {
      carry_out(action);
      actions.push_back(std::move(action));
    }
  }
  void finish_idle_work() {
    while (engine.has_idle_work()) {
      step(core::Idle{});
    }
  }
  void resolve_all_next_hops(std::uint8_t mac = 1) {
    std::vector<core::Address> targets;
    for (const auto& [index, entry] : engine.entries()) {
      targets.push_back(entry.identity.endpoint.address);
    }
    for (const core::Address& target : targets) {
      step(core::NextHopChanged{target, hop(mac), {}});
    }
    finish_idle_work();
  }
  static core::NextHop hop(std::uint8_t mac) {
    return {.destination = {2, 0, 0, 0, 0, mac},
            .source = {2, 0, 0, 0, 0, 99},
            .interface = 3,
            .on_link = true,
            .preferred_source = ipv4(10, 0, 0, 5)};
  }

  // Probes every backend until `duration` has passed; `verdicts` says how each answers.
  void run(std::chrono::milliseconds duration) {
    const auto end = now.steady + duration;
    while (engine.wake_at() && *engine.wake_at() <= end) {
      move_to(*engine.wake_at());
      step(core::TimerFired{});
      answer_probes();
      finish_idle_work();
    }
    move_to(end);
  }

  std::vector<const core::Announce*> events() const {
    std::vector<const core::Announce*> found;
    for (const core::Action& action : actions) {
      if (const auto* event = std::get_if<core::Announce>(&action)) {
        found.push_back(event);
      }
    }
    return found;
  }

  MemoryDataPlane plane;
  core::Engine engine;
  core::Now now{core::SteadyTime(std::chrono::hours(1)), core::WallTime(std::chrono::hours(24 * 365 * 50))};
  std::set<int> silent;                   // last bytes of those from whose hosts nothing comes back
  std::map<int, core::Verdict> verdicts;  // by last byte of the backend's address; others pass
  std::string failing_path;               // checks of this path fail, whatever the backend
  std::vector<core::Action> actions;      // all that were carried out

 private:
  Result<void> put_in_force(core::Engine next) {
    auto published = daemon::publish(next, plane);
    if (!published) {
      return Failure(published.error());
    }
    engine = std::move(next);
    return {};
  }

  void move_to(core::SteadyTime time) {
    now.wall += std::chrono::duration_cast<core::WallTime::duration>(time - now.steady);
    now.steady = time;
  }

  void answer_probes() {
    std::vector<core::StartProbe> started;
    std::swap(started, probes_);
    for (const core::StartProbe& probe : started) {
      step(core::ProbeFinished{probe.attempt, verdict_of(probe), "as the test says",
                               !silent.contains(probe.target.address.bytes[3])});
    }
  }

  core::Verdict verdict_of(const core::StartProbe& probe) const {
    if (probe.check.path == failing_path) {
      return core::Verdict::fail;
    }
    const auto verdict = verdicts.find(probe.target.address.bytes[3]);
    return verdict == verdicts.end() ? core::Verdict::pass : verdict->second;
  }

  void carry_out(const core::Action& action) {
    if (const auto* probe = std::get_if<core::StartProbe>(&action)) {
      probes_.push_back(*probe);
    } else {
      fakes::carry_out(action, engine, plane);
    }
  }

  std::vector<core::StartProbe> probes_;
};

}  // namespace phalanx::fakes

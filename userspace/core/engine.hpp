// SPDX-License-Identifier: Apache-2.0
// The whole control logic as a pure state machine: events in, actions out; time is an argument, nothing is
// I/O.
//
// A change of configuration has three steps, so that it is all or nothing and never delays health events:
//   propose()    decides rows and which tables must be built, or refuses; changes nothing
//   TableBuild::run() on any thread
//   successor()  the engine that would be in force; the caller publishes it and, if that held, replaces this
//   one
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/action.hpp"
#include "core/applied_state.hpp"
#include "core/entry.hpp"
#include "core/event.hpp"
#include "core/probe_schedule.hpp"
#include "core/result.hpp"
#include "core/service_in_force.hpp"
#include "core/slot_table.hpp"

namespace phalanx::core {

struct TableBuild {
  std::string service;
  SlotTableSpec spec;
  std::vector<Standing> standing;
  std::shared_ptr<const SlotTable> former;  // its scores are reused; may be in use meanwhile
  std::shared_ptr<SlotTable> table;         // after run()

  void run() { table = std::make_shared<SlotTable>(SlotTable::build(spec, standing, former.get())); }
};

struct Proposal {
  AppliedState next;
  std::vector<TableBuild> builds;
};

// What pinned rows say of a state that is adopted.
struct PinnedFacts {
  std::map<EntryIndex, EntryFacts> entries;
  std::map<ServiceIndex, std::vector<SlotStore>> slots;  // of each service, in order of slot
};

struct ProbeCounts {
  std::uint64_t pass = 0;
  std::uint64_t fail = 0;
  std::uint64_t inconclusive = 0;
};

class Engine {
 public:
  // With nothing in force.
  explicit Engine(Limits limits);

  // overrides: those of backends that `next` has are kept; their weights go into the tables. Fails with a
  // sentence when rows don't suffice, when a limit differs from the one that the maps were made with, or when
  // a service's slots would become fewer.
  Result<Proposal> propose(const Config& next, const Overrides& overrides, SteadyTime now) const;
  // For state that is pinned: every table is built, from what the pinned rows say of each entry.
  static Proposal adopt(AppliedState pinned, const PinnedFacts& facts);

  // Every build of the proposal must have run. Health and the operator's disabled and drained are those of
  // now, not those of propose(). With facts: of an adoption, whose overrides are the proposal's, and whose
  // windows start anew.
  Engine successor(const Proposal& proposal, Now now) const;
  Engine successor(const Proposal& proposal, const PinnedFacts& facts, Now now) const;

  // What to do about an event. The order of the actions is the order of the stores.
  Actions step(const Event& event, Now now);

  // When TimerFired is wanted next, if ever; whether Idle is wanted.
  std::optional<SteadyTime> wake_at() const;
  bool has_idle_work() const { return !rearm_.empty(); }
  // Whether flows may be remembered, so that the flow table should be swept now and then.
  bool wants_sweep() const;

  const AppliedState& applied() const { return applied_; }
  // Those that linger, too.
  const std::map<EntryIndex, Entry>& entries() const { return entries_; }
  const std::map<ServiceIndex, ServiceInForce>& services() const { return services_; }
  const ProbeCounts& probe_counts() const { return probe_counts_; }

 private:
  // A service that uses an entry, and as which member.
  struct User {
    ServiceIndex service = 0;
    MemberIndex member = kNoMember;
  };
  // An entry whose standing must be brought into the tables of its users, one user a turn.
  struct Rearm {
    EntryIndex entry = kNoEntry;
    std::size_t next_user = 0;
  };

  // engine.cpp: what each event means
  void on(const ProbeFinished& event, Now now, Actions& actions);
  void on(const NextHopChanged& event, Now now, Actions& actions);
  void on(const OverrideRequested& event, Now now, Actions& actions);
  void on(const NodeDrainRequested& event, Now now, Actions& actions);
  void on(const FlowsSwept& event, Now now, Actions& actions);
  void on(const TimerFired& event, Now now, Actions& actions);
  void on(const Idle& event, Now now, Actions& actions);
  std::pair<NextHop, int> hop_of(const Entry& entry) const;
  void show_hop(EntryIndex index, Entry& entry, Actions& actions) const;
  static void swing_hop(EntryIndex index, Entry& entry, const NextHop& hop, Actions& actions);
  bool wants_up(EntryIndex index, const Entry& entry) const;
  bool wants_draining(EntryIndex index, const Entry& entry) const;
  bool is_enabled(EntryIndex index) const;  // in any service that uses it
  // Although it is down: only its check failed, and where packets name hops, who gets one of its flows passes
  // it on to it. The operator's `disable` moves its flows all the same.
  bool may_keep_flows(EntryIndex index) const;
  void refresh(EntryIndex index, Now now, Actions& actions);
  void queue_rearm(EntryIndex index);
  void begin_slow_start(EntryIndex index, Now now);

  // engine_rearm.cpp: bringing an entry's standing into tables
  void rearm_user(Entry& entry, const User& user, Now now, Actions& actions);
  void finish_rearm(EntryIndex index, Entry& entry, Actions& actions);
  void announce_backend(ServiceInForce& service, MemberIndex member, Now now, Actions& actions) const;
  void announce_redundancy(ServiceInForce& service, Now now, Actions& actions) const;
  BackendState state_of(const ServiceInForce& service, MemberIndex member) const;
  Standing standing_of(const ServiceInForce& service, MemberIndex member, SteadyTime now) const;

  // engine_flows.cpp: the end of transitions and of entries that linger
  void end_transitions(ServiceInForce& service, const std::set<std::uint32_t>& with_flows_elsewhere, Now now,
                       Actions& actions) const;
  void lose_previous(EntryIndex index, Actions& actions);
  bool drains_in(const ServiceInForce& service, EntryIndex entry) const;
  void end_lingering(EntryIndex index, Now now, Actions& actions);

  // engine_reload.cpp: how an engine gets a configuration
  void take_entries(const Engine& before, const PinnedFacts& facts, Now now);
  const Entry* forerunner(const EntryIdentity& identity) const;
  void take_over(const Engine& before);
  void take_service(const Service& config, const Engine& before, const Proposal& proposal, Now now);
  void take_members(ServiceInForce& service, const ServiceInForce* before, Now now);
  void take_transitions(ServiceInForce& service, const Engine& before, const ServiceInForce& former,
                        Now now) const;
  void adopt_transitions(ServiceInForce& service, const std::vector<SlotStore>& pinned, Now now) const;
  void take_probes(const Engine& before, Now now);

  AppliedState applied_;
  std::map<EntryIndex, Entry> entries_;
  std::multimap<EntryIndex, User> users_;
  std::multimap<Address, EntryIndex> entries_by_address_;
  std::map<Address, NextHopChanged> routes_;  // the last word of the kernel about each address
  std::map<ServiceIndex, ServiceInForce> services_;
  ProbeSchedule schedule_;
  std::set<std::pair<SteadyTime, EntryIndex>>
      admission_changes_;  // when time alone changes an entry's standing
  std::deque<Rearm> rearm_;
  bool flows_are_remembered_ = true;  // as of the last sweep; before the first, nobody knows
  ProbeCounts probe_counts_;
};

}  // namespace phalanx::core

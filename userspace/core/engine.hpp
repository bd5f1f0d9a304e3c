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
#include <vector>

#include "core/action.hpp"
#include "core/applied_state.hpp"
#include "core/entry.hpp"
#include "core/event.hpp"
#include "core/probe_schedule.hpp"
#include "core/result.hpp"
#include "core/slot_table.hpp"

namespace phalanx::core {

// One service in force. Members of its table are its backends in order of endpoint, which no file decides.
struct ServiceInForce {
  Service config;
  ServiceRows rows;
  std::shared_ptr<SlotTable> table;
  std::vector<EntryIndex> entries;      // by member
  std::vector<std::string> names;       // by member
  std::vector<bool> disabled;           // by member
  std::vector<BackendState> announced;  // by member: what operators were told last

  SlotStore slot_store(std::uint32_t slot, const SlotOwners& owners) const;
};

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

struct ProbeCounts {
  std::uint64_t pass = 0;
  std::uint64_t fail = 0;
  std::uint64_t inconclusive = 0;
};

class Engine {
 public:
  // With nothing in force.
  explicit Engine(Limits limits);

  // Fails with a sentence when rows don't suffice or when a limit differs from the one that the maps were
  // made with.
  Result<Proposal> propose(const Config& next, SteadyTime now) const;
  // For state that is pinned: every table is built, from what the pinned rows say of each entry.
  static Proposal adopt(AppliedState pinned, const std::map<EntryIndex, EntryFacts>& facts);

  // Every build of the proposal must have run. Health and the operator's overrides are those of now, not
  // those of propose(). With facts: of an adoption, whose overrides are the proposal's.
  Engine successor(const Proposal& proposal, Now now) const;
  Engine successor(const Proposal& proposal, const std::map<EntryIndex, EntryFacts>& facts, Now now) const;

  // What to do about an event. The order of the actions is the order of the stores.
  Actions step(const Event& event, Now now);

  // When TimerFired is wanted next, if ever; whether Idle is wanted.
  std::optional<SteadyTime> wake_at() const { return schedule_.wake_at(); }
  bool has_idle_work() const { return !rearm_.empty(); }

  const AppliedState& applied() const { return applied_; }
  const std::map<EntryIndex, Entry>& entries() const { return entries_; }
  const std::map<ServiceIndex, ServiceInForce>& services() const { return services_; }
  const ProbeCounts& probe_counts() const { return probe_counts_; }

 private:
  // An entry whose standing must be brought into the tables of its users, one user a turn.
  struct Rearm {
    EntryIndex entry = kNoEntry;
    std::size_t next_user = 0;
  };

  void on(const ProbeFinished& event, Now now, Actions& actions);
  void on(const NextHopChanged& event, Now now, Actions& actions);
  void on(const DisableRequested& event, Now now, Actions& actions);
  void on(const TimerFired& event, Now now, Actions& actions);
  void on(const Idle& event, Now now, Actions& actions);

  bool wants_up(const Entry& entry) const;
  void show_hop(EntryIndex index, Entry& entry, Actions& actions) const;
  void refresh(EntryIndex index, Now now, Actions& actions);
  void rearm_user(Entry& entry, const EntryUser& user, Now now, Actions& actions);
  void finish_rearm(EntryIndex index, Entry& entry, Actions& actions) const;
  BackendState state_of(const ServiceInForce& service, MemberIndex member) const;
  Standing standing_of(const ServiceInForce& service, MemberIndex member) const;

  void take_entries(const Engine& before, const std::map<EntryIndex, EntryFacts>& facts, Now now);
  void take_service(const Service& config, const Engine& before, const Proposal& proposal);
  void take_probes(const Engine& before, Now now);

  AppliedState applied_;
  std::map<EntryIndex, Entry> entries_;
  std::multimap<Address, EntryIndex> entries_by_address_;
  std::map<Address, NextHopChanged> routes_;  // the last word of the kernel about each address
  std::map<ServiceIndex, ServiceInForce> services_;
  ProbeSchedule schedule_;
  std::deque<Rearm> rearm_;
  ProbeCounts probe_counts_;
};

}  // namespace phalanx::core

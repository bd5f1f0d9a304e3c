// SPDX-License-Identifier: Apache-2.0
// One seeded history of one small service on one node: hosts fail and recover, backends come and go, drain
// and change weight, the table grows, the daemon restarts, and a few connections live through all of it. The
// expectations that must hold after every event are in here.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "daemon/flow_sweeper.hpp"
#include "fakes/packet_rules.hpp"
#include "fakes/world.hpp"
#include "lib/flow_table.h"
#include "slot_table_reference.hpp"

namespace phalanx::core {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
  bool once_in(std::uint32_t n) { return below(n) == 0; }
  template <typename T>
  void shuffle(std::vector<T>& values) {
    std::shuffle(values.begin(), values.end(), random_);
  }

 private:
  std::mt19937_64 random_;
};

// All that decides a table, without the order in which it came about.
struct Facts {
  Config config;
  Overrides overrides;
  std::set<Endpoint> dead;  // hosts that do not answer; one that is not configured may be among them

  const Service& service() const { return config.services.front(); }
  Service& service() { return config.services.front(); }
};

// A node and the knowledge of its hosts.
class HistoryNode {
 public:
  explicit HistoryNode(const Limits& limits) : world(limits) {}

  // Whether the configuration was taken. Hosts that are new to the node answer, or do not, before the next
  // event.
  bool apply(const Facts& facts) {
    if (!world.apply(facts.config, facts.overrides)) return false;
    for (const Backend& backend : facts.service().backends) tell(facts, backend.endpoint);
    world.finish_idle_work();
    return true;
  }
  void tell(const Facts& facts, const Endpoint& endpoint) {
    if (facts.dead.contains(endpoint)) {
      world.step(NextHopChanged{endpoint.address, std::nullopt, "as the history says"});
    } else {
      world.step(NextHopChanged{endpoint.address, fakes::World::hop(1), {}});
    }
    world.actions.clear();
  }
  void say(const Endpoint& endpoint, Word word) {
    world.step(OverrideRequested{"web", endpoint, word});
    EXPECT_TRUE(world.plane.commit(world.engine.applied()));  // as the controller does
    world.actions.clear();
  }
  void sweep() {
    daemon::FlowSweeper sweeper(world.plane);
    sweeper.begin();
    std::optional<FlowsSwept> found;
    while (!found) {
      const auto now_s =
          std::chrono::duration_cast<std::chrono::seconds>(world.now.steady.time_since_epoch());
      found = sweeper.step(world.engine, static_cast<std::uint32_t>(now_s.count()));
    }
    world.step(*found);
    world.finish_idle_work();
    world.actions.clear();
  }

  const ServiceInForce& service() const { return world.engine.services().begin()->second; }
  bool is_up(EntryIndex entry) const {
    return entry != kNoEntry && (world.plane.backends.at(entry).state & PHX_STATE_UP) != 0;
  }
  const Endpoint& endpoint_of(EntryIndex entry) const {
    return world.engine.entries().at(entry).identity.endpoint;
  }
  phx_slot row(std::uint32_t slot) const {
    return world.plane.slots.at(phx_region_offset(world.plane.services.at(service().rows.index).region) +
                                slot);
  }

  fakes::World world;
};

// A client's connection: knows which backend has it.
struct Connection {
  phx_flow flow{};
  Endpoint owner;
  bool open = false;
};

class History {
 public:
  explicit History(std::uint64_t seed);

  // Lives through the history, then lets every window end.
  void run();
  std::size_t events() const { return events_; }
  std::size_t backends() const { return first_.service().backends.size(); }
  std::size_t tiers() const { return tiers_; }
  const std::map<std::string, int>& kinds() const { return kinds_; }
  std::uint64_t packets() const { return packets_; }

  const Facts& first() const { return first_; }
  const Facts& facts() const { return facts_; }
  const HistoryNode& node() const { return node_; }
  static Limits limits() { return {.services = 2, .backends = 640, .slots = 4096, .flows = 65536}; }
  static constexpr std::chrono::milliseconds kTransition{3000};
  static constexpr std::chrono::milliseconds kSettle{1000};

 private:
  void happen();
  void host_event();
  void operator_event();
  void reload_event();
  void reload(Facts next);
  void restart();
  void pass(std::chrono::milliseconds duration);
  void sweep();

  void traffic();
  void send(Connection& connection, fakes::PacketKind kind);
  std::uint64_t identity(const phx_flow& flow) const;
  std::optional<std::uint16_t> remembered(const phx_flow& flow) const;
  void remember(const phx_flow& flow, std::uint16_t entry);

  void expect_sound() const;
  void expect_only_moves_of(const Endpoint& endpoint, const std::vector<SlotOwners>& before,
                            const std::vector<Standing>& standing) const;

  Backend new_backend();
  std::uint16_t weight();
  const Endpoint& any_backend() { return any(facts_).endpoint; }
  Backend& any(Facts& facts) {
    auto& all = facts.service().backends;
    return all[dice_.below(static_cast<std::uint32_t>(all.size()))];
  }

  Dice dice_;
  std::uint32_t weight_kind_;
  std::uint32_t tiers_;
  std::uint32_t next_number_ = 0;
  std::size_t events_;
  Facts facts_;
  Facts first_;
  HistoryNode node_;
  std::vector<Connection> connections_;
  std::map<std::string, int> kinds_;
  std::string last_;  // kind of event
  std::uint64_t packets_ = 0;
};

inline std::uint16_t History::weight() {
  constexpr std::uint16_t extremes[] = {0, 1, 100, 65535};
  switch (weight_kind_) {
    case 0:
      return static_cast<std::uint16_t>(dice_.below(65536));
    case 1:
      return extremes[dice_.below(4)];
    case 2:
      return dice_.once_in(4) ? 0 : 100;
    default:
      return 100;
  }
}

inline Backend History::new_backend() {
  const std::uint32_t number = next_number_++;
  return {.name = "b" + std::to_string(number),
          .endpoint = endpoint_number(number),
          .weight = weight(),
          .zone = "rack-" + std::to_string(number % 3),
          .tier = static_cast<int>(dice_.below(tiers_))};
}

// Sizes are spread evenly over the orders of magnitude, so that the small ones, where corners are, come
// often.
inline History::History(std::uint64_t seed)
    : dice_(seed),
      weight_kind_(dice_.below(5)),
      tiers_(dice_.once_in(3) ? 2 + dice_.below(2) : 1),
      events_(5 + dice_.below(46)),
      node_(limits()) {
  Service service = fakes::service("web", 10, {});
  service.check_name.reset();
  service.check.reset();
  service.slots = 16u << dice_.below(3);
  service.seed = seed * 0x9e3779b97f4a7c15;
  service.transition = kTransition;
  service.settle = kSettle;
  service.slow_start = dice_.once_in(3) ? std::chrono::milliseconds(2000) : std::chrono::milliseconds(0);
  const std::uint32_t up_to = 200u >> dice_.below(8);
  const std::uint32_t count = 1 + dice_.below(std::max(up_to, 1u));
  for (std::uint32_t i = 0; i < count; ++i) service.backends.push_back(new_backend());
  facts_.config = fakes::config({service}, limits());
  for (const Backend& backend : service.backends) {
    if (dice_.once_in(10)) facts_.dead.insert(backend.endpoint);
  }
  first_ = facts_;
  for (std::uint16_t i = 0; i < 8; ++i) {
    Connection connection;
    connection.flow.to.family = PHX_FAMILY_IPV4;
    std::copy_n(service.vips[0].bytes.begin(), 16, connection.flow.to.address);
    connection.flow.to.protocol = 6;
    connection.flow.to.port = static_cast<std::uint16_t>(80 << 8);
    connection.flow.source[0] = 192;
    connection.flow.source_port = static_cast<std::uint16_t>(dice_.below(65536));
    connection.flow.source[3] = static_cast<std::uint8_t>(i);
    connections_.push_back(connection);
  }
}

inline void History::run() {
  ASSERT_TRUE(node_.apply(facts_));
  traffic();
  for (std::size_t i = 0; i < events_ && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("event " + std::to_string(i));
    happen();
    traffic();
    expect_sound();
    pass(std::chrono::milliseconds(dice_.below(500)));
  }
  pass(kSettle + facts_.service().slow_start);
  node_.world.plane.flows.clear();
  node_.world.run(kTransition + std::chrono::milliseconds(1));
  node_.sweep();  // gives up what lingered
  node_.sweep();  // ends what that one held open
  expect_sound();
}

inline void History::happen() {
  const std::uint32_t kind = dice_.below(16);
  if (kind < 6) return host_event();
  if (kind < 9) return operator_event();
  if (kind < 13) return reload_event();
  if (kind == 13) return pass(std::chrono::milliseconds(dice_.below(6000)));
  if (kind == 14 && dice_.once_in(2)) return restart();
  sweep();
}

inline void History::host_event() {
  const Endpoint endpoint = any_backend();
  const bool recovers = facts_.dead.erase(endpoint) > 0;
  if (!recovers) facts_.dead.insert(endpoint);
  ++kinds_[last_ = recovers ? "recover" : "fail"];
  const SlotTable& table = *node_.service().table;
  const std::vector<SlotOwners> before(table.owners().begin(), table.owners().end());
  const std::vector<Standing> standing(table.standing().begin(), table.standing().end());
  node_.tell(facts_, endpoint);
  traffic();  // before any table is patched
  node_.world.finish_idle_work();
  expect_only_moves_of(endpoint, before, standing);
}

inline void History::operator_event() {
  const Endpoint endpoint = any_backend();
  Override& said = facts_.overrides[{"web", endpoint}];
  const bool drain = !dice_.once_in(3);
  bool& flag = drain ? said.drained : said.disabled;
  flag = !flag;
  const Word word = drain ? (flag ? Word::drain : Word::undrain) : (flag ? Word::disable : Word::enable);
  ++kinds_[last_ = drain ? (flag ? "drain" : "undrain") : (flag ? "disable" : "enable")];
  if (said.says_nothing()) facts_.overrides.erase({"web", endpoint});
  const SlotTable& table = *node_.service().table;
  const std::vector<SlotOwners> before(table.owners().begin(), table.owners().end());
  const std::vector<Standing> standing(table.standing().begin(), table.standing().end());
  node_.say(endpoint, word);
  traffic();
  node_.world.finish_idle_work();
  expect_only_moves_of(endpoint, before, standing);
}

inline void History::reload_event() {
  Facts next = facts_;
  std::vector<Backend>& backends = next.service().backends;
  switch (dice_.below(6)) {
    case 0:
      if (backends.size() >= 200) return;
      backends.push_back(new_backend());
      ++kinds_[last_ = "add"];
      break;
    case 1: {
      if (backends.size() < 2) return;
      const Endpoint gone = any(next).endpoint;
      std::erase_if(backends, [&](const Backend& b) { return b.endpoint == gone; });
      next.overrides.erase({"web", gone});
      ++kinds_[last_ = "remove"];
      break;
    }
    case 2:
      any(next).weight = weight();
      ++kinds_[last_ = "re-weigh"];
      break;
    case 3: {
      const Endpoint endpoint = any(next).endpoint;
      next.overrides[{"web", endpoint}].weight = weight();
      ++kinds_[last_ = "override a weight"];
      break;
    }
    case 4:
      if (next.service().slots >= 128) return;
      next.service().slots *= 2;
      ++kinds_[last_ = "grow"];
      break;
    default:
      any(next).name += "x";
      any(next).tier = static_cast<int>(dice_.below(tiers_));
      dice_.shuffle(backends);
      ++kinds_[last_ = "rename, move tier, reorder"];
  }
  reload(std::move(next));
}

inline void History::reload(Facts next) {
  if (!node_.world.apply(next.config, next.overrides)) {
    ++kinds_[last_ = "refused"];
    return;
  }
  facts_ = std::move(next);
  traffic();
  node_.world.finish_idle_work();
  traffic();
  for (const Backend& backend : facts_.service().backends) node_.tell(facts_, backend.endpoint);
  node_.world.finish_idle_work();
}

inline void History::restart() {
  ++kinds_[last_ = "restart"];
  ASSERT_TRUE(node_.world.restart());
  traffic();
  for (const Backend& backend : facts_.service().backends) node_.tell(facts_, backend.endpoint);
  node_.world.finish_idle_work();
}

// A slot is tracked as long as a remembered flow of it lives elsewhere than where the slot sends it. A
// connection that was refused is over, whatever the flow table says.
inline void History::sweep() {
  ++kinds_[last_ = "sweep"];
  node_.sweep();
  const ServiceInForce& service = node_.service();
  for (const Connection& connection : connections_) {
    const auto owner = remembered(connection.flow);
    const auto slot = static_cast<std::uint32_t>(phx_slot_hash(&connection.flow, service.config.seed)) &
                      (service.config.slots - 1);
    if (connection.open && owner && node_.is_up(*owner) &&
        service.entry_of(service.table->server(slot)) != *owner) {
      EXPECT_TRUE((node_.row(slot).flags & PHX_SLOT_TRACKED) != 0) << "a flow lives elsewhere, slot " << slot;
    }
  }
}

// Nobody is silent for as long as the window, nor while a slot changes twice (a slow start rises in steps).
inline void History::pass(std::chrono::milliseconds duration) {
  const auto end = node_.world.now.steady + duration;
  while (node_.world.now.steady < end) {
    const auto now = node_.world.now.steady;
    auto next = std::min(end, now + std::chrono::milliseconds(1000));
    if (const auto wake = node_.world.engine.wake_at()) next = std::min(next, std::max(*wake, now));
    node_.world.run(std::chrono::ceil<std::chrono::milliseconds>(next - now));
    node_.world.actions.clear();
    traffic();
    if (dice_.once_in(4)) sweep();
  }
}

inline std::uint64_t History::identity(const phx_flow& flow) const {
  const ServiceInForce& service = node_.service();
  return phx_flow_identity(service.rows.index, phx_slot_hash(&flow, service.config.seed));
}

inline std::optional<std::uint16_t> History::remembered(const phx_flow& flow) const {
  for (const auto& known : node_.world.plane.flows) {
    if (known.identity == identity(flow)) return known.owner.entry;
  }
  return std::nullopt;
}

inline void History::remember(const phx_flow& flow, std::uint16_t entry) {
  const auto now_s =
      std::chrono::duration_cast<std::chrono::seconds>(node_.world.now.steady.time_since_epoch());
  const phx_flow_owner owner{entry, 0, 0, static_cast<std::uint32_t>(now_s.count())};
  for (auto& known : node_.world.plane.flows) {
    if (known.identity == identity(flow)) {
      known.owner = owner;
      return;
    }
  }
  node_.world.plane.flows.push_back({0, identity(flow), owner});
}

inline void History::traffic() {
  for (Connection& connection : connections_) {
    if (dice_.once_in(24)) connection.open = false;  // its client comes again
    if (!connection.open) ++connection.flow.source_port;
    send(connection, connection.open ? fakes::PacketKind::other_tcp : fakes::PacketKind::syn);
  }
}

inline void History::send(Connection& connection, fakes::PacketKind kind) {
  ++packets_;
  const auto& plane = node_.world.plane;
  const phx_service service = plane.services.at(node_.service().rows.index);
  const phx_slot slot =
      plane.slots.at(phx_slot_index(service.region, phx_slot_hash(&connection.flow, service.seed)));
  const auto ruling =
      fakes::rule(slot, (slot.flags & PHX_SLOT_TRACKED) != 0, false, kind, remembered(connection.flow),
                  [&](std::uint16_t entry) {
                    return entry == PHX_NO_ENTRY ? std::uint64_t{0} : plane.backends.at(entry).state;
                  });
  if (ruling.entry == PHX_NO_ENTRY) {
    connection.open = false;  // nobody is up: refused
    return;
  }
  if (ruling.remember) remember(connection.flow, ruling.entry);
  const Endpoint to = node_.endpoint_of(ruling.entry);
  if (kind != fakes::PacketKind::syn && to != connection.owner) {
    for (const auto& [index, entry] : node_.world.engine.entries()) {
      EXPECT_FALSE(entry.identity.endpoint == connection.owner && node_.is_up(index))
          << "a connection on " << to_string(connection.owner.address) << " (entry " << index << ", state "
          << plane.backends.at(index).state << "), which is up, moved to " << to_string(to.address)
          << "; its slot: primary " << slot.primary << " backup " << slot.backup << " previous "
          << slot.previous << " flags " << slot.flags << "; last: " << last_;
    }
  }
  connection.owner = to;
  connection.open = true;
}

inline void History::expect_sound() const {
  const ServiceInForce& service = node_.service();
  const auto standing = service.table->standing();
  const auto up = std::ranges::count(standing, true, &Standing::up);
  for (std::uint32_t slot = 0; slot < service.config.slots; ++slot) {
    const phx_slot row = node_.row(slot);
    const phx_slot said = daemon::slot_row(service.row(slot));
    ASSERT_EQ(std::memcmp(&row, &said, sizeof row), 0) << "slot " << slot << " was not written";
    for (const std::uint16_t entry : {row.primary, row.backup, row.previous}) {
      ASSERT_TRUE(entry == PHX_NO_ENTRY || node_.world.engine.entries().contains(entry)) << "slot " << slot;
    }
    ASSERT_NE(row.primary, row.backup);
    const SlotOwners& owners = service.table->owners()[slot];
    const auto others = up - (standing[owners.primary].up ? 1 : 0);
    ASSERT_EQ(row.backup != PHX_NO_ENTRY, others > 0) << "slot " << slot;
    ASSERT_EQ(row.backup == PHX_NO_ENTRY || node_.is_up(row.backup), true) << "slot " << slot;
  }
}

// Slots move away from the backend of the event, or to it; what its backup took over stays there.
inline void History::expect_only_moves_of(const Endpoint& endpoint, const std::vector<SlotOwners>& before,
                                          const std::vector<Standing>& standing) const {
  const SlotTable& table = *node_.service().table;
  const auto& members = table.spec().members;
  const auto victim = static_cast<MemberIndex>(
      std::ranges::find(members, endpoint, &SlotTableMember::endpoint) - members.begin());
  for (std::uint32_t slot = 0; slot < before.size(); ++slot) {
    const SlotOwners& was = before[slot];
    const SlotOwners& is = table.owners()[slot];
    if (was.primary == is.primary) continue;
    const bool concerned = was.primary == victim || is.primary == victim;
    // With nobody admitted the base stands in, until the victim is admitted again.
    ASSERT_TRUE(concerned) << "collateral in slot " << slot;
    const bool lost = was.primary == victim;
    if (lost && was.backup != kNoMember && standing[victim].up &&
        standing[was.backup].admission == kFullAdmission && standing[victim].admission == kFullAdmission) {
      ASSERT_EQ(is.primary, was.backup) << "the backup of slot " << slot << " did not stay";
    }
  }
}

}  // namespace phalanx::core

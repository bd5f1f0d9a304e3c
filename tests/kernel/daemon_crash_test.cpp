// SPDX-License-Identifier: Apache-2.0
// The daemon is killed between any two stores, on real pinned maps: the packet path always has a state that
// works, and the next start adopts it and finishes the change.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "adapters/bpf/balancer_maps.hpp"
#include "core/engine.hpp"
#include "daemon/contract_rows.hpp"
#include "daemon/publisher.hpp"
#include "fakes/world.hpp"
#include "pin_fixture.hpp"

namespace phalanx {
namespace {

using adapters::BalancerMaps;
using fakes::backend;
using fakes::service;

constexpr int kKilled = 9;
// Slots are written by the thousand, each like the one before: the child is killed at every other store, and
// at each of these.
constexpr int kSlotStride = 997;

// The maps, behind a fuse: the process ends before its n-th store.
class FusedDataPlane final : public ports::DataPlane {
 public:
  FusedDataPlane(ports::DataPlane& maps, int stores) : maps_(maps), left_(stores) {}

  phx_slot slot(std::uint32_t row) const override { return maps_.slot(row); }
  phx_service service(std::uint32_t index) const override { return maps_.service(index); }
  phx_backend backend(std::uint16_t entry) const override { return maps_.backend(entry); }
  phx_backend_status backend_status(std::uint16_t entry) const override {
    return maps_.backend_status(entry);
  }
  Result<std::vector<std::pair<phx_vip_key, phx_vip>>> vips() const override { return maps_.vips(); }
  Result<std::vector<std::pair<phx_vip_key, phx_nat_source>>> nat_sources() const override {
    return maps_.nat_sources();
  }
  phx_traffic service_traffic(std::uint32_t index) const override { return maps_.service_traffic(index); }
  phx_traffic backend_traffic(std::uint16_t entry) const override { return maps_.backend_traffic(entry); }
  std::vector<std::uint64_t> counters() const override { return maps_.counters(); }
  std::vector<ports::RememberedFlow> next_flows(ports::FlowCursor& cursor) const override {
    return maps_.next_flows(cursor);
  }

  void store_slot(std::uint32_t row, phx_slot slot) override {
    if (++slots_ % kSlotStride == 0) {
      burn();
    }
    maps_.store_slot(row, slot);
  }
  void store_backend_state(std::uint16_t entry, std::uint64_t state) override {
    burn();
    maps_.store_backend_state(entry, state);
  }
  void store_region(std::uint32_t service, std::uint64_t region) override {
    burn();
    maps_.store_region(service, region);
  }
  void store_source_bits(std::uint16_t entry, std::uint8_t bits) override {
    burn();
    maps_.store_source_bits(entry, bits);
  }
  void write_service(std::uint32_t index, const phx_service& service) override {
    burn();
    maps_.write_service(index, service);
  }
  void write_backend(std::uint16_t entry, const phx_backend& backend) override {
    burn();
    maps_.write_backend(entry, backend);
  }
  void write_next_hop(std::uint16_t entry, int row, const phx_next_hop& hop) override {
    burn();
    maps_.write_next_hop(entry, row, hop);
  }
  void write_backend_status(std::uint16_t entry, const phx_backend_status& status) override {
    burn();
    maps_.write_backend_status(entry, status);
  }
  void clear_service_traffic(std::uint32_t index) override { maps_.clear_service_traffic(index); }
  void clear_backend_traffic(std::uint16_t entry) override { maps_.clear_backend_traffic(entry); }
  void forget_flow(const ports::RememberedFlow& flow) override { maps_.forget_flow(flow); }
  Result<void> put_vip(const phx_vip_key& key, const phx_vip& vip) override {
    burn();
    return maps_.put_vip(key, vip);
  }
  Result<void> remove_vip(const phx_vip_key& key) override {
    burn();
    return maps_.remove_vip(key);
  }
  Result<void> put_nat_source(const phx_vip_key& key, const phx_nat_source& source) override {
    burn();
    return maps_.put_nat_source(key, source);
  }
  Result<void> remove_nat_source(const phx_vip_key& key) override {
    burn();
    return maps_.remove_nat_source(key);
  }
  Result<void> commit(const core::AppliedState& state) override {
    burn();
    return maps_.commit(state);
  }

 private:
  void burn() {
    if (--left_ == 0) {
      ::_exit(kKilled);
    }
  }

  ports::DataPlane& maps_;
  int left_;
  int slots_ = 0;
};

core::Limits limits() {
  return {.services = 8, .backends = 32, .slots = 8 * PHX_MIN_SLOTS, .flows = 1024};
}

core::Config with_services(std::vector<core::Service> services) {
  core::Config config = fakes::config(std::move(services), limits());
  for (core::Service& s : config.services) {
    s.transition = std::chrono::seconds(3);
  }
  return config;
}

core::Service nat(core::Service service) {
  service.forward = core::Forward::nat;
  return service;
}

core::Config before() {
  return with_services({service("web", 10, {backend("b1", 11), backend("b2", 12), backend("b3", 13)}),
                        service("old", 20, {backend("b1", 11), backend("b4", 14)}),
                        nat(service("own", 40, {backend("b3", 13), backend("b4", 14)}))});
}

// A backend added and one removed, a service removed and one added; of nat, too, and another mode.
core::Config after() {
  core::Config config =
      with_services({service("web", 10, {backend("b1", 11), backend("b2", 12), backend("b5", 15)}),
                     nat(service("new", 30, {backend("b2", 12), backend("b5", 15)})),
                     nat(service("own", 40, {backend("b4", 14)}))});
  config.services[0].forward = core::Forward::gue;
  config.node.tunnel_source_v4 = core::Prefix{fakes::ipv4(10, 9, 0, 0), 24};
  return config;
}

core::Now at(std::chrono::milliseconds time) {
  return {core::SteadyTime(std::chrono::hours(1) + time), core::WallTime(std::chrono::hours(24) + time)};
}

void step(core::Engine& engine, const core::Event& event, core::Now now, ports::DataPlane& plane) {
  for (const core::Action& action : engine.step(event, now)) {
    fakes::carry_out(action, engine, plane);
  }
}

void finish_idle_work(core::Engine& engine, core::Now now, ports::DataPlane& plane) {
  while (engine.has_idle_work()) {
    step(engine, core::Idle{}, now, plane);
  }
}

void resolve_next_hops(core::Engine& engine, core::Now now, ports::DataPlane& plane) {
  std::set<core::Address> targets;
  for (const auto& [index, entry] : engine.entries()) {
    targets.insert(entry.identity.endpoint.address);
  }
  for (const core::Address& target : targets) {
    step(engine, core::NextHopChanged{target, fakes::World::hop(1), {}}, now, plane);
  }
  finish_idle_work(engine, now, plane);
}

core::Engine put_in_force(const core::Engine& engine, core::Proposal proposal, const core::PinnedFacts* facts,
                          core::Now now, ports::DataPlane& plane) {
  for (core::TableBuild& build : proposal.builds) {
    build.run();
  }
  core::Engine next =
      facts == nullptr ? engine.successor(proposal, now) : engine.successor(proposal, *facts, now);
  const auto published = daemon::publish(next, plane);
  EXPECT_TRUE(published) << published.error().message;
  return next;
}

core::Engine apply(const core::Engine& engine, const core::Config& config, core::Now now,
                   ports::DataPlane& plane) {
  const auto proposal = engine.propose(config, engine.applied().overrides, now.steady);
  EXPECT_TRUE(proposal) << proposal.error().message;
  return put_in_force(engine, *proposal, nullptr, now, plane);
}

core::Engine adopt(BalancerMaps& maps, core::Now now, ports::DataPlane& plane) {
  const auto pinned = maps.load_state();
  EXPECT_TRUE(pinned) << pinned.error().message;
  const core::PinnedFacts facts = daemon::read_facts(*pinned, maps);
  return put_in_force(core::Engine(pinned->layout.limits()), core::Engine::adopt(*pinned, facts), &facts, now,
                      plane);
}

void start_serving(BalancerMaps& maps) {
  core::Engine engine = apply(core::Engine(limits()), before(), at({}), maps);
  resolve_next_hops(engine, at({}), maps);
}

// A backend falls, the configuration changes, a backend is drained, the fallen one returns.
void live(BalancerMaps& maps, ports::DataPlane& plane) {
  core::Engine engine = adopt(maps, at({}), plane);
  const core::Address b1 = fakes::ipv4(10, 0, 1, 11);
  step(engine, core::NextHopChanged{b1, std::nullopt, "its neighbour does not answer"}, at({}), plane);
  finish_idle_work(engine, at({}), plane);
  engine = apply(engine, after(), at({}), plane);
  resolve_next_hops(engine, at({}), plane);
  step(engine, core::OverrideRequested{"web", {fakes::ipv4(10, 0, 1, 12), 80}, core::Word::drain}, at({}),
       plane);
  ASSERT_TRUE(plane.commit(engine.applied()));
  finish_idle_work(engine, at({}), plane);
  step(engine, core::NextHopChanged{b1, fakes::World::hop(2), {}}, at({}), plane);
  finish_idle_work(engine, at({}), plane);
  step(engine, core::FlowsSwept{}, at(std::chrono::seconds(10)), plane);
}

// Runs live() in a child that ends before its n-th store; whether it did.
bool killed_at(int store, const adapters::PinDirectory& directory) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto maps = BalancerMaps::open(directory);
    if (!maps) {
      ::_exit(1);
    }
    FusedDataPlane fused(*maps, store);
    live(*maps, fused);
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "store " << store << ": the child was ended by signal "
                                 << WTERMSIG(status);
  EXPECT_TRUE(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == kKilled) << "store " << store;
  return WEXITSTATUS(status) == kKilled;
}

// Whether what the entry of a nat backend answers leaves as that VIP.
bool answers_as(const phx_vip_key& vip, std::uint16_t entry, const BalancerMaps& maps) {
  const phx_backend backend = maps.backend(entry);
  const auto rows = maps.nat_sources();
  return rows && std::ranges::any_of(*rows, [&](const auto& row) {
           return std::memcmp(row.first.address, backend.address, sizeof backend.address) == 0 &&
                  row.first.port == backend.port && row.first.protocol == vip.protocol &&
                  std::memcmp(row.second.vip, vip.address, sizeof vip.address) == 0 &&
                  row.second.port == vip.port;
         });
}

// What a packet would meet now: every VIP's table is there, and names entries that are; what nat backends
// answer finds its VIP.
void expect_the_path_works(const BalancerMaps& maps) {
  const auto vips = maps.vips();
  ASSERT_TRUE(vips);
  std::set<std::pair<std::uint32_t, std::uint16_t>> judged;
  for (const auto& [key, vip] : *vips) {
    if (vip.service == PHX_NO_SERVICE) {
      continue;
    }
    const std::uint64_t region = maps.service(vip.service).region;
    ASSERT_NE(region, 0u) << "a VIP without a table";
    for (std::uint32_t slot = 0; slot <= phx_region_mask(region); ++slot) {
      const phx_slot row = maps.slot(phx_region_offset(region) + slot);
      ASSERT_NE(row.primary, PHX_NO_ENTRY);
      ASSERT_NE(maps.backend(row.primary).family, PHX_FAMILY_NONE)
          << "a slot names an entry that is not there";
      if (maps.backend(row.primary).forward == PHX_FORWARD_NAT &&
          judged.emplace(vip.service, row.primary).second) {
        ASSERT_TRUE(answers_as(key, row.primary, maps)) << "entry " << row.primary;
      }
    }
  }
}

void expect_in_force(const core::Engine& engine, const BalancerMaps& maps) {
  const auto pinned = maps.vips();
  ASSERT_TRUE(pinned);
  EXPECT_EQ(pinned->size(), daemon::vip_rows(engine.services()).size());
  for (const auto& [index, in_force] : engine.services()) {
    ASSERT_EQ(maps.service(index).region,
              phx_region(in_force.rows.region.offset, in_force.rows.region.slots));
    for (std::uint32_t slot = 0; slot < in_force.config.slots; ++slot) {
      const core::SlotStore wanted = in_force.row(slot);
      const phx_slot row = maps.slot(wanted.row);
      ASSERT_EQ(row.primary, wanted.primary);
      ASSERT_EQ(row.backup, wanted.backup);
      ASSERT_TRUE(engine.entries().contains(row.primary));
    }
  }
  for (const auto& [index, entry] : engine.entries()) {
    EXPECT_EQ((maps.backend(index).state & PHX_STATE_UP) != 0, entry.shown_up);
  }
}

class DaemonCrash : public testing::PinTest {};

TEST_F(DaemonCrash, at_any_store_leaves_a_path_that_works_and_a_state_that_the_next_start_finishes) {
  int store = 1;
  for (bool killed = true; killed && !HasFatalFailure(); ++store) {
    SCOPED_TRACE("killed before store " + std::to_string(store));
    auto directory = locked("node-" + std::to_string(store));
    {
      auto maps = BalancerMaps::create(directory, limits());
      ASSERT_TRUE(maps) << maps.error().message;
      start_serving(*maps);
    }
    killed = killed_at(store, directory);

    auto maps = BalancerMaps::open(directory);
    ASSERT_TRUE(maps) << maps.error().message;
    expect_the_path_works(*maps);
    core::Engine engine = adopt(*maps, at({}), *maps);
    finish_idle_work(engine, at({}), *maps);
    expect_in_force(engine, *maps);
    engine = apply(engine, after(), at(std::chrono::seconds(2)), *maps);
    resolve_next_hops(engine, at(std::chrono::seconds(2)), *maps);
    expect_in_force(engine, *maps);
    ASSERT_TRUE(directory.remove_everything());
  }
  EXPECT_GT(store, 40) << "the change is made of many stores";
}

}  // namespace
}  // namespace phalanx

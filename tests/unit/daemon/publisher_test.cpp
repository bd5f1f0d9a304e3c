// SPDX-License-Identifier: Apache-2.0
#include "daemon/publisher.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "fakes/world.hpp"

namespace phalanx {
namespace {

using namespace std::chrono_literals;
using fakes::backend;
using fakes::config;
using fakes::service;
using fakes::World;

core::Config one_service() {
  return config({service("web", 10, {backend("b1", 11), backend("b2", 12)})});
}

core::Config two_services() {
  core::Config both = one_service();
  both.services.push_back(service("dns", 20, {backend("b1", 11), backend("b3", 13)}));
  return both;
}

bool serves(const World& world, int vip) {
  const auto rows = world.plane.vips();
  return std::ranges::any_of(*rows, [&](const auto& row) {
    return row.first.address[3] == vip && row.second.service != PHX_NO_SERVICE;
  });
}

TEST(Publisher, writes_a_row_for_each_vip_and_one_for_each_service_on_it) {
  World world;
  core::Config both = one_service();
  both.services.push_back(service("alt", 10, {backend("b1", 11)}));
  both.services[1].port = 8080;
  ASSERT_TRUE(world.apply(both));
  EXPECT_EQ(world.plane.vips()->size(), 3u);
}

TEST(Publisher, a_vip_that_the_kernel_refuses_leaves_the_old_state_in_force) {
  for (int failing = 1; failing <= 2; ++failing) {
    World world;
    ASSERT_TRUE(world.apply(one_service()));
    const auto vips = world.plane.vips()->size();
    world.plane.stores.put_vip = 0;
    world.plane.fail_put_vip_at = failing;
    const auto refused = world.apply(two_services());
    ASSERT_FALSE(refused);
    EXPECT_EQ(world.plane.vips()->size(), vips);
    EXPECT_EQ(world.plane.committed->generation, 1u);
    EXPECT_EQ(world.engine.applied().config.services.size(), 1u);
    EXPECT_EQ(std::ranges::count_if(world.plane.services, [](const auto& s) { return s.region != 0; }), 1);
  }
}

TEST(Publisher, a_document_that_does_not_fit_leaves_the_old_state_in_force) {
  World world;
  ASSERT_TRUE(world.apply(one_service()));
  world.plane.fail_commit_at = 2;
  ASSERT_FALSE(world.apply(two_services()));
  EXPECT_FALSE(serves(world, 20));
  EXPECT_TRUE(serves(world, 10));
}

TEST(Publisher, a_removed_service_is_gone_from_the_path) {
  World world;
  ASSERT_TRUE(world.apply(two_services()));
  ASSERT_TRUE(world.apply(one_service()));
  EXPECT_FALSE(serves(world, 20));
  EXPECT_EQ(std::ranges::count_if(world.plane.services, [](const auto& s) { return s.region != 0; }), 1);
}

TEST(Publisher, a_vip_that_moves_between_services_is_never_without_one) {
  World world;
  ASSERT_TRUE(world.apply(two_services()));
  core::Config swapped = two_services();
  std::swap(swapped.services[0].vips, swapped.services[1].vips);
  world.plane.stores.remove_vip = 0;
  ASSERT_TRUE(world.apply(swapped));
  EXPECT_EQ(world.plane.stores.remove_vip, 0);
}

TEST(Publisher, a_region_is_not_reused_within_its_rest) {
  World world;
  ASSERT_TRUE(world.apply(one_service()));
  const auto first = world.engine.applied().layout.services().at("web").region;
  core::Config next = one_service();
  next.services[0].backends.push_back(backend("b3", 13));
  ASSERT_TRUE(world.apply(next));
  const auto second = world.engine.applied().layout.services().at("web").region;
  EXPECT_NE(second, first);
  ASSERT_TRUE(world.apply(one_service()));
  EXPECT_NE(world.engine.applied().layout.services().at("web").region, first) << "it still rests";
  world.now.steady += core::kRowRest;
  ASSERT_TRUE(world.apply(next));
  EXPECT_EQ(world.engine.applied().layout.services().at("web").region, first);
}

TEST(Publisher, a_new_seed_never_meets_the_old_region) {
  World world;
  ASSERT_TRUE(world.apply(one_service()));
  const auto before = world.engine.applied().layout.services().at("web");
  core::Config next = one_service();
  next.services[0].seed = 99;
  ASSERT_TRUE(world.apply(next));
  const auto after = world.engine.applied().layout.services().at("web");
  EXPECT_NE(after.index, before.index);
  EXPECT_EQ(world.plane.service(after.index).seed, 99u);
}

TEST(Publisher, a_backend_that_returns_to_its_old_row_starts_anew) {
  World world;
  ASSERT_TRUE(world.apply(two_services()));
  world.resolve_all_next_hops();
  ASSERT_TRUE(world.apply(one_service()));
  world.now.steady += core::kRowRest;
  ASSERT_TRUE(world.apply(two_services()));
  world.finish_idle_work();
  for (const auto& [index, entry] : world.engine.entries()) {
    EXPECT_EQ((world.plane.backend(index).state & PHX_STATE_UP) != 0, entry.shown_up);
  }
}

std::optional<phx_vip> own_row(const World& world, int vip) {
  const auto rows = world.plane.vips();
  for (const auto& [key, row] : *rows) {
    if (key.address[3] == vip && key.port == 0 && key.protocol == 0) {
      return row;
    }
  }
  return std::nullopt;
}

TEST(Publisher, a_vips_own_row_says_what_it_does_with_unmatched_packets_and_a_reload_changes_it) {
  World world;
  core::Config rule = one_service();
  for (const auto& [word, value] : {std::pair{core::Unmatched::pass, PHX_UNMATCHED_PASS},
                                    std::pair{core::Unmatched::drop, PHX_UNMATCHED_DROP},
                                    std::pair{core::Unmatched::reject, PHX_UNMATCHED_REJECT}}) {
    rule.services[0].unmatched = word;
    ASSERT_TRUE(world.apply(rule));
    const auto row = own_row(world, 10);
    ASSERT_TRUE(row);
    EXPECT_EQ(row->unmatched, value);
    EXPECT_EQ(row->service, PHX_NO_SERVICE);
  }
  EXPECT_EQ(world.plane.stores.remove_vip, 0);
}

TEST(Publisher, a_refused_reload_leaves_the_former_unmatched) {
  World world;
  ASSERT_TRUE(world.apply(one_service()));
  core::Config next = one_service();
  next.services[0].unmatched = core::Unmatched::drop;
  world.plane.fail_commit_at = 2;
  ASSERT_FALSE(world.apply(next));
  const auto row = own_row(world, 10);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->unmatched, PHX_UNMATCHED_PASS);
}

// Of the first backend of the one service.
phx_backend first_entry(const World& world) {
  return world.plane.backend(world.engine.services().begin()->second.members.front().entry);
}

TEST(Publisher, an_entrys_row_has_its_mode_tunnel_port_and_source_bits) {
  World world;
  core::Config gue = one_service();
  gue.services[0].forward = core::Forward::gue;
  gue.services[0].gue_port = 0x1234;
  gue.node.tunnel_source_v4 = core::Prefix{fakes::ipv4(10, 9, 0, 0), 24};
  ASSERT_TRUE(world.apply(gue));
  world.resolve_all_next_hops();
  const phx_backend row = first_entry(world);
  EXPECT_EQ(row.forward, PHX_FORWARD_GUE);
  EXPECT_EQ(row.tunnel_port, 0x3412) << "network order";
  EXPECT_EQ(row.source_bits, 8);
  EXPECT_EQ(row.next_hop[0].tunnel_source[1], 9);
  EXPECT_EQ(row.next_hop[0].tunnel_source[3], 0);
}

TEST(Publisher, a_next_hops_row_has_its_vlan_and_mtu) {
  World world;
  ASSERT_TRUE(world.apply(one_service()));
  core::NextHop hop = World::hop(1);
  hop.vlan = 4094;
  hop.mtu = 9000;
  world.step(core::NextHopChanged{fakes::ipv4(10, 0, 1, 11), hop, {}});
  world.finish_idle_work();
  EXPECT_EQ(first_entry(world).next_hop[0].vlan, 4094);
  EXPECT_EQ(first_entry(world).next_hop[0].mtu, 9000);
  hop.mtu = 1400;
  world.step(core::NextHopChanged{fakes::ipv4(10, 0, 1, 11), hop, {}});
  world.finish_idle_work();
  EXPECT_EQ(first_entry(world).state & PHX_STATE_NEXT_HOP, PHX_STATE_NEXT_HOP) << "swung to the other row";
  EXPECT_EQ(first_entry(world).next_hop[1].mtu, 1400);
  EXPECT_EQ(first_entry(world).next_hop[0].mtu, 9000) << "never written under a reader";
  ASSERT_TRUE(world.restart());
  EXPECT_EQ(world.engine.entries().begin()->second.hop->mtu, 1400);
  EXPECT_EQ(world.engine.entries().begin()->second.hop->vlan, 4094);
}

core::Config one_nat_service() {
  core::Config config = one_service();
  config.services[0].forward = core::Forward::nat;
  config.services[0].backends[1].endpoint.port = 8080;
  return config;
}

TEST(Publisher, a_nat_backend_answers_as_its_vip_by_each_protocol) {
  World world;
  core::Config both = one_nat_service();
  both.services[0].protocols = {core::Protocol::tcp, core::Protocol::udp};
  ASSERT_TRUE(world.apply(both));
  const auto rows = *world.plane.nat_sources();
  ASSERT_EQ(rows.size(), 4u);
  const auto& [index, service] = *world.engine.services().begin();
  for (const auto& [key, source] : rows) {
    const bool first = key.address[3] == 11;
    EXPECT_EQ(key.port, first ? 0x5000 : 0x901f);
    EXPECT_TRUE(key.protocol == 6 || key.protocol == 17);
    EXPECT_EQ(key.family, PHX_FAMILY_IPV4);
    EXPECT_EQ(source.vip[3], 10);
    EXPECT_EQ(source.port, 0x5000);
    EXPECT_EQ(source.service, index);
    EXPECT_EQ(source.entry, service.members[first ? 0 : 1].entry);
  }
  EXPECT_EQ(first_entry(world).forward, PHX_FORWARD_NAT);
}

TEST(Publisher, a_nat_backend_that_the_kernel_refuses_leaves_the_old_state_in_force) {
  World world;
  ASSERT_TRUE(world.apply(one_service()));
  world.plane.fail_put_nat_source_at = 2;
  ASSERT_FALSE(world.apply(one_nat_service()));
  EXPECT_TRUE(world.plane.nat_sources()->empty());
  EXPECT_EQ(world.plane.committed->generation, 1u);
  EXPECT_EQ(first_entry(world).forward, PHX_FORWARD_IPIP);
}

TEST(Publisher, the_ways_back_are_there_before_the_service_swings) {
  World world;
  ASSERT_TRUE(world.apply(one_service()));
  world.resolve_all_next_hops();
  world.plane.fail_commit_at = world.plane.stores.commit + 1;
  world.plane.stores.region = 0;
  world.plane.stores.put_nat_source = 0;
  ASSERT_FALSE(world.apply(one_nat_service()));
  EXPECT_EQ(world.plane.stores.put_nat_source, 2);
  EXPECT_EQ(world.plane.stores.region, 0);
  EXPECT_TRUE(world.plane.nat_sources()->empty()) << "taken back";
}

TEST(Publisher, a_removed_nat_backend_answers_as_its_vip_until_it_is_given_up) {
  World world;
  ASSERT_TRUE(world.apply(one_nat_service()));
  world.resolve_all_next_hops();
  core::Config less = one_nat_service();
  less.services[0].backends.pop_back();
  ASSERT_TRUE(world.apply(less));
  world.finish_idle_work();
  EXPECT_EQ(world.plane.nat_sources()->size(), 2u);
  ASSERT_TRUE(world.restart());
  world.finish_idle_work();
  EXPECT_EQ(world.plane.nat_sources()->size(), 2u);
  world.run(601s);
  world.step(core::FlowsSwept{});
  const auto rows = *world.plane.nat_sources();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows.front().first.address[3], 11);
}

TEST(Publisher, connections_of_a_service_that_is_nat_no_more_go_on_by_nat) {
  World world;
  ASSERT_TRUE(world.apply(one_nat_service()));
  world.resolve_all_next_hops();
  core::Config tunnelled = one_nat_service();
  tunnelled.services[0].forward = core::Forward::ipip;
  ASSERT_TRUE(world.apply(tunnelled));
  world.finish_idle_work();
  EXPECT_EQ(world.plane.nat_sources()->size(), 2u);
  const auto& [index, service] = *world.engine.services().begin();
  for (std::uint32_t slot = 0; slot < PHX_MIN_SLOTS; ++slot) {
    const phx_slot row = world.plane.slots[service.rows.region.offset + slot];
    ASSERT_EQ(row.flags, PHX_SLOT_TRACKED);
    ASSERT_EQ(world.plane.backend(row.previous).forward, PHX_FORWARD_NAT);
    ASSERT_TRUE(world.plane.backend(row.previous).state & PHX_STATE_UP);
    ASSERT_EQ(world.plane.backend(row.primary).forward, PHX_FORWARD_IPIP);
  }
}

TEST(Publisher, connections_by_nat_go_on_while_a_service_of_the_other_protocol_keeps_their_backend) {
  World world;
  core::Config two = one_nat_service();
  two.services.push_back(two.services[0]);
  two.services[1].name = "datagrams";
  two.services[1].protocols = {core::Protocol::udp};
  ASSERT_TRUE(world.apply(two));
  world.resolve_all_next_hops();
  ASSERT_EQ(world.plane.nat_sources()->size(), 4u);
  two.services[0].forward = core::Forward::ipip;
  ASSERT_TRUE(world.apply(two));
  world.finish_idle_work();
  EXPECT_EQ(world.plane.nat_sources()->size(), 4u);
}

TEST(Publisher, the_ways_back_of_a_removed_nat_service_go_with_it) {
  World world;
  core::Config both = one_nat_service();
  both.services.push_back(service("dns", 20, {backend("b3", 13)}));
  ASSERT_TRUE(world.apply(both));
  world.resolve_all_next_hops();
  core::Config left = both;
  left.services.erase(left.services.begin());
  ASSERT_TRUE(world.apply(left));
  EXPECT_TRUE(world.plane.nat_sources()->empty()) << "nothing comes in by that VIP";
}

TEST(Publisher, a_nat_backend_that_moves_to_another_vip_answers_as_that_one) {
  World world;
  ASSERT_TRUE(world.apply(one_nat_service()));
  core::Config moved = one_nat_service();
  moved.services[0].vips = {fakes::ipv4(203, 0, 113, 77)};
  ASSERT_TRUE(world.apply(moved));
  const auto rows = *world.plane.nat_sources();
  for (const auto& [key, source] : rows) {
    EXPECT_EQ(source.vip[3], 77);
  }
}

}  // namespace
}  // namespace phalanx

// SPDX-License-Identifier: Apache-2.0
#include "daemon/publisher.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

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

}  // namespace
}  // namespace phalanx

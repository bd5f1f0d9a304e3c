// SPDX-License-Identifier: Apache-2.0
#include "core/announcement.hpp"

#include <gtest/gtest.h>

namespace phalanx::core {
namespace {

using namespace std::chrono_literals;

constexpr SteadyTime kStart{1000s};
constexpr auto kTurn = 100ms;
constexpr auto kSteady = AnnouncementRule::kSteady + kTurn;

NodeFacts ready(std::size_t backends_up = 2) {
  return {.attached = true,
          .in_doubt = false,
          .backends_up = backends_up,
          .turn = kTurn,
          .drained = false,
          .stopping = false};
}

NodeFacts doubtful(std::size_t backends_up) {
  NodeFacts facts = ready(backends_up);
  facts.in_doubt = true;
  return facts;
}

using Answer = std::optional<Announcement>;
constexpr Answer kWithdrawn = Announcement::withdrawn;
constexpr Answer kWorse = Announcement::worse;
constexpr Answer kPreferred = Announcement::preferred;

// A rule that said preferred at kStart + 1 s.
AnnouncementRule announced() {
  AnnouncementRule rule(false, kStart);
  (void)rule.judge(ready(), kStart);
  EXPECT_EQ(rule.judge(ready(), kStart + 1s).announcement, kPreferred);
  return rule;
}

TEST(Announcement, a_fresh_node_is_withdrawn_until_what_it_knows_is_steady) {
  AnnouncementRule rule(false, kStart);
  EXPECT_EQ(rule.judge(doubtful(0), kStart).announcement, kWithdrawn);
  EXPECT_EQ(rule.judge(ready(2), kStart + 1s).announcement, kWithdrawn);
  EXPECT_EQ(rule.judge(ready(2), kStart + 1s + kSteady - 1ms).announcement, kWithdrawn);
  EXPECT_EQ(rule.judge(ready(2), kStart + 1s + kSteady).announcement, kPreferred);
}

TEST(Announcement, an_adopted_path_keeps_its_routes_as_they_are_until_enough_is_known) {
  AnnouncementRule rule(true, kStart);
  EXPECT_EQ(rule.judge(doubtful(2), kStart).announcement, std::nullopt);
  EXPECT_EQ(rule.judge(ready(2), kStart + 100ms).announcement, std::nullopt);
  EXPECT_EQ(rule.judge(ready(2), kStart + 100ms + kSteady).announcement, kPreferred);
}

TEST(Announcement, each_backend_that_comes_puts_off_what_is_better) {
  AnnouncementRule rule(false, kStart);
  SteadyTime now = kStart;
  for (std::size_t up = 0; up < 5; ++up, now += kSteady - 1ms) {
    EXPECT_EQ(rule.judge(ready(up), now).announcement, kWithdrawn) << up;
  }
  EXPECT_EQ(rule.judge(ready(4), now).announcement, kWithdrawn);
  EXPECT_EQ(rule.judge(ready(4), now + 1ms).announcement, kPreferred);
}

TEST(Announcement, doubt_that_does_not_end_keeps_a_node_out_for_ten_seconds_only) {
  AnnouncementRule rule(false, kStart);
  (void)rule.judge(doubtful(1), kStart);
  EXPECT_EQ(rule.judge(doubtful(1), kStart + 10s - 1ms).announcement, kWithdrawn);
  EXPECT_EQ(rule.judge(doubtful(1), kStart + 10s).announcement, kPreferred);
}

TEST(Announcement, without_backends_the_node_announces_at_worse_preference_at_once) {
  AnnouncementRule rule = announced();
  EXPECT_EQ(rule.judge(doubtful(1), kStart + 2s).announcement, kPreferred);
  EXPECT_EQ(rule.judge(doubtful(0), kStart + 3s).announcement, kWorse);
  EXPECT_EQ(rule.judge(ready(1), kStart + 4s).announcement, kWorse);
  EXPECT_EQ(rule.judge(ready(2), kStart + 4s + kSteady).announcement, kWorse);
  EXPECT_EQ(rule.judge(ready(2), kStart + 4s + 2 * kSteady).announcement, kPreferred);
}

TEST(Announcement, drain_stop_and_a_lost_program_withdraw_at_once) {
  for (int why = 0; why < 3; ++why) {
    AnnouncementRule rule = announced();
    NodeFacts facts = ready();
    facts.drained = why == 0;
    facts.stopping = why == 1;
    facts.attached = why != 2;
    const WantedAnnouncement wanted = rule.judge(facts, kStart + 2s);
    EXPECT_EQ(wanted.announcement, kWithdrawn) << why;
    EXPECT_FALSE(wanted.reason.empty());
    EXPECT_EQ(rule.judge(facts, kStart + 60s).announcement, kWithdrawn) << why;
  }
}

TEST(Announcement, a_node_that_stayed_ready_while_it_was_drained_is_announced_at_once) {
  AnnouncementRule rule = announced();
  NodeFacts drained = ready();
  drained.drained = true;
  EXPECT_EQ(rule.judge(drained, kStart + 2s).announcement, kWithdrawn);
  EXPECT_EQ(rule.judge(drained, kStart + 20s).announcement, kWithdrawn);
  EXPECT_EQ(rule.judge(ready(), kStart + 20s).announcement, kPreferred);
}

GuardFacts healthy() {
  return {.attached = true, .daemon_alive = true, .drained = false, .grace = 2s};
}

TEST(Guard, leaves_a_healthy_node_alone) {
  GuardRule rule(kStart);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(rule.look(healthy(), kStart + i * 1s), std::nullopt);
  }
}

TEST(Guard, a_dead_daemon_costs_the_preference_after_the_grace) {
  GuardRule rule(kStart);
  GuardFacts dead = healthy();
  dead.daemon_alive = false;
  EXPECT_EQ(rule.look(healthy(), kStart + 10s), std::nullopt);
  EXPECT_EQ(rule.look(dead, kStart + 12s - 1ms), std::nullopt);
  EXPECT_EQ(rule.look(dead, kStart + 12s)->announcement, kWorse);
  dead.drained = true;
  EXPECT_EQ(rule.look(dead, kStart + 13s)->announcement, kWithdrawn);
  EXPECT_EQ(rule.look(healthy(), kStart + 14s), std::nullopt);
}

TEST(Guard, a_program_that_is_gone_for_two_looks_withdraws_whatever_the_daemon_does) {
  GuardRule rule(kStart);
  GuardFacts detached = healthy();
  detached.attached = false;
  EXPECT_EQ(rule.look(detached, kStart), std::nullopt);
  EXPECT_EQ(rule.look(healthy(), kStart), std::nullopt);
  EXPECT_EQ(rule.look(detached, kStart), std::nullopt);
  EXPECT_EQ(rule.look(detached, kStart)->announcement, kWithdrawn);
  EXPECT_EQ(rule.look(healthy(), kStart), std::nullopt);
}

}  // namespace
}  // namespace phalanx::core

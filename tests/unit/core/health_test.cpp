// SPDX-License-Identifier: Apache-2.0
#include "core/health.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace phalanx::core {
namespace {

constexpr auto kPass = Verdict::pass;
constexpr auto kFail = Verdict::fail;
constexpr auto kInconclusive = Verdict::inconclusive;

constexpr int kRise = 2;
constexpr int kFall = 3;

// The place (from 1) of the verdict that changed the health; 0 if none did.
int changes_at(HealthState& state, std::initializer_list<Verdict> verdicts) {
  int changed = 0;
  int place = 0;
  for (const Verdict verdict : verdicts) {
    ++place;
    if (state.observe(verdict, kRise, kFall)) changed = changed == 0 ? place : -1;
  }
  return changed;
}

TEST(Health, first_conclusive_probe_of_an_unknown_entry_decides_alone) {
  HealthState passed;
  EXPECT_EQ(passed.health(), Health::unknown);
  EXPECT_EQ(changes_at(passed, {kInconclusive, kPass}), 2);
  EXPECT_EQ(passed.health(), Health::up);

  HealthState failed;
  EXPECT_EQ(changes_at(failed, {kInconclusive, kInconclusive, kFail}), 3);
  EXPECT_EQ(failed.health(), Health::down);
}

TEST(Health, falls_after_that_many_consecutive_failures) {
  HealthState state(Health::up);
  EXPECT_EQ(changes_at(state, {kFail, kFail, kFail}), 3);
  EXPECT_EQ(state.health(), Health::down);
}

TEST(Health, rises_after_that_many_consecutive_passes) {
  HealthState state(Health::down);
  EXPECT_EQ(changes_at(state, {kPass, kPass}), 2);
  EXPECT_EQ(state.health(), Health::up);
}

TEST(Health, a_pass_between_failures_starts_the_count_anew) {
  HealthState state(Health::up);
  EXPECT_EQ(changes_at(state, {kFail, kFail, kPass, kFail, kFail}), 0);
  EXPECT_EQ(changes_at(state, {kFail}), 1);
}

TEST(Health, a_failure_between_passes_starts_the_count_anew) {
  HealthState state(Health::down);
  EXPECT_EQ(changes_at(state, {kPass, kFail, kPass}), 0);
  EXPECT_EQ(changes_at(state, {kPass}), 1);
}

TEST(Health, an_inconclusive_probe_changes_not_even_the_count) {
  HealthState state(Health::up);
  EXPECT_EQ(changes_at(state, {kFail, kInconclusive, kFail, kInconclusive, kFail}), 5);
  EXPECT_EQ(changes_at(state, {kInconclusive, kInconclusive, kInconclusive}), 0);
  EXPECT_EQ(state.health(), Health::down);
}

TEST(Health, the_count_of_one_fall_does_not_leak_into_the_next_rise) {
  HealthState state(Health::up);
  EXPECT_EQ(changes_at(state, {kFail, kFail, kFail, kPass}), 3);
  EXPECT_EQ(state.health(), Health::down);
  EXPECT_EQ(changes_at(state, {kPass, kFail}), 1);
  EXPECT_EQ(state.health(), Health::up);
}

TEST(Health, thresholds_may_change_between_probes) {
  HealthState state(Health::up);
  EXPECT_FALSE(state.observe(kFail, 2, 100));
  EXPECT_FALSE(state.observe(kFail, 2, 100));
  EXPECT_TRUE(state.observe(kFail, 2, 1));
}

TEST(HostState, is_gone_after_that_many_silent_probes_and_back_by_one_answer) {
  HostState host;
  EXPECT_TRUE(host.answers());
  EXPECT_FALSE(host.observe(kFail, false, kFall));
  EXPECT_FALSE(host.observe(kFail, false, kFall));
  EXPECT_FALSE(host.observe(kInconclusive, false, kFall)) << "no evidence";
  EXPECT_TRUE(host.observe(kFail, false, kFall));
  EXPECT_FALSE(host.answers());
  EXPECT_FALSE(host.observe(kFail, false, kFall));
  EXPECT_FALSE(host.observe(kInconclusive, true, kFall));
  EXPECT_TRUE(host.observe(kFail, true, kFall)) << "a refusal is an answer";
  EXPECT_TRUE(host.answers());
}

TEST(HostState, stays_when_answers_come_between) {
  HostState host;
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(host.observe(kFail, false, kFall));
    EXPECT_FALSE(host.observe(kFail, false, kFall));
    EXPECT_FALSE(host.observe(kFail, true, kFall));
  }
  EXPECT_TRUE(host.answers());
}

}  // namespace
}  // namespace phalanx::core

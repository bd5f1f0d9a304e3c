// SPDX-License-Identifier: Apache-2.0
#include "cli/drain_wait.hpp"

#include <gtest/gtest.h>

namespace phalanx::cli {
namespace {

using std::chrono::seconds;
using State = DrainProgress::State;

constexpr DrainProgress::Time kStart{seconds(1000)};

LeftOver seen(std::uint64_t flows) {
  return {flows, std::nullopt};
}

TEST(DrainProgress, flows_that_have_not_sent_yet_are_waited_for) {
  DrainProgress progress(kStart, seconds(600));
  EXPECT_EQ(progress.observe(seen(0), kStart), State::waiting);
  EXPECT_EQ(progress.observe(seen(0), kStart + seconds(9)), State::waiting);
  EXPECT_EQ(progress.observe(seen(0), kStart + seconds(10)), State::over);
}

TEST(DrainProgress, every_flow_that_is_seen_begins_the_silence_anew) {
  DrainProgress progress(kStart, seconds(600));
  EXPECT_EQ(progress.observe(seen(3), kStart + seconds(5)), State::waiting);
  EXPECT_EQ(progress.observe(seen(0), kStart + seconds(6)), State::waiting);
  EXPECT_EQ(progress.observe(seen(1), kStart + seconds(12)), State::waiting);
  EXPECT_EQ(progress.observe(seen(0), kStart + seconds(21)), State::waiting);
  EXPECT_EQ(progress.observe(seen(0), kStart + seconds(22)), State::over);
}

TEST(DrainProgress, the_time_ends_while_flows_are_left) {
  DrainProgress progress(kStart, seconds(30));
  EXPECT_EQ(progress.observe(seen(1), kStart + seconds(29)), State::waiting);
  EXPECT_EQ(progress.observe(seen(1), kStart + seconds(30)), State::timed_out);
}

TEST(DrainProgress, a_silence_that_ends_with_the_time_counts) {
  DrainProgress progress(kStart, seconds(10));
  EXPECT_EQ(progress.observe(seen(0), kStart + seconds(10)), State::over);
}

TEST(DrainProgress, what_an_agent_says_counts_more_than_what_is_seen) {
  DrainProgress progress(kStart, seconds(600));
  EXPECT_EQ(progress.observe({0, 1}, kStart + seconds(60)), State::waiting)
      << "a connection that is silent lives";
  EXPECT_EQ(progress.observe({3, 0}, kStart + seconds(61)), State::waiting) << "a handshake may be under way";
  EXPECT_EQ(progress.observe({3, 0}, kStart + seconds(62)), State::over);
}

TEST(DrainProgress, an_agent_that_answers_no_more_leaves_it_to_what_is_seen) {
  DrainProgress progress(kStart, seconds(600));
  EXPECT_EQ(progress.observe({0, 1}, kStart + seconds(5)), State::waiting);
  EXPECT_EQ(progress.observe(seen(0), kStart + seconds(14)), State::waiting);
  EXPECT_EQ(progress.observe(seen(0), kStart + seconds(15)), State::over);
}

}  // namespace
}  // namespace phalanx::cli

// SPDX-License-Identifier: Apache-2.0
#include "sim/simulation.hpp"

#include <gtest/gtest.h>

namespace phalanx::sim {
namespace {

Plan small(std::uint64_t seed) {
  return {.seed = seed, .nodes = 4, .backends = 20, .flows = 4000, .events = 40, .slots = 4096};
}

TEST(Simulation, connections_that_speak_break_only_with_their_backend) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Plan plan = small(seed);
    plan.late_nodes = false;  // nobody speaks between two events that are heard of at once
    const Outcome outcome = simulate(plan);
    EXPECT_EQ(outcome.broken[kPhalanx], 0u) << "seed " << seed;
    EXPECT_GT(outcome.moved_by_death[kPhalanx], 0u) << "seed " << seed << " tests nothing";
    EXPECT_GT(outcome.broken[kMaglevScheme], 0u) << "seed " << seed << " tests nothing";
  }
}

TEST(Simulation, nodes_agree_whatever_the_order_in_which_they_heard) {
  for (std::uint64_t seed = 100; seed < 106; ++seed) {
    Plan plan = small(seed);
    plan.node_loss = true;
    plan.nodes = 8;
    plan.silence = 8;
    plan.references = false;
    EXPECT_EQ(simulate(plan).disagree, 0u) << "seed " << seed;
  }
}

TEST(Simulation, lost_nodes_and_silence_break_fewer_connections_than_the_references_do) {
  std::uint64_t phalanx = 0;
  std::uint64_t references = 0;
  for (std::uint64_t seed = 200; seed < 204; ++seed) {
    Plan plan = small(seed);
    plan.node_loss = true;
    plan.silence = 8;
    const Outcome outcome = simulate(plan);
    phalanx += outcome.broken[kPhalanx];
    references += std::min(outcome.broken[kMaglevScheme], outcome.broken[kRendezvous]);
  }
  EXPECT_LT(phalanx, references);
}

TEST(Simulation, the_same_seed_tells_the_same_story) {
  const Outcome once = simulate(small(7));
  const Outcome again = simulate(small(7));
  EXPECT_EQ(once.packets, again.packets);
  EXPECT_EQ(once.broken, again.broken);
  EXPECT_EQ(once.kinds, again.kinds);
}

}  // namespace
}  // namespace phalanx::sim

// SPDX-License-Identifier: Apache-2.0
#include "core/score.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace phalanx::core {
namespace {

constexpr std::uint64_t kAllOnes = ~std::uint64_t{0};

// Hashes of every magnitude, and those next to the ends and to the powers of two.
std::vector<std::uint64_t> telling_hashes() {
  std::vector<std::uint64_t> hashes;
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t power = 1ull << bit;
    for (std::uint64_t near = 0; near < 3; ++near) {
      hashes.insert(hashes.end(), {power + near, power - near, kAllOnes - power + near, kAllOnes - near});
    }
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) hashes.push_back(random() >> (i % 60));
  for (int i = 0; i < 100000; ++i) hashes.push_back(~(random() >> (i % 60)));
  std::sort(hashes.begin(), hashes.end());
  return hashes;
}

TEST(Score, logarithm_is_within_a_thousandth_of_the_real_one) {
  for (const std::uint64_t hash : telling_hashes()) {
    if (hash == 0 || ~hash < 1 << 20) continue;  // closer to 1 than a double can tell
    const long double real = -std::log2(static_cast<long double>(hash) / 0x1p64L);
    EXPECT_NEAR(static_cast<double>(negative_log2(hash)) / 0x1p57, static_cast<double>(real),
                static_cast<double>(real) * 0.001)
        << hash;
  }
}

TEST(Score, logarithm_never_rises_with_the_hash) {
  std::uint64_t last = negative_log2(0);
  for (const std::uint64_t hash : telling_hashes()) {
    EXPECT_LE(negative_log2(hash), last) << hash;
    last = negative_log2(hash);
  }
}

TEST(Score, bound_is_never_above_the_score) {
  for (const std::uint64_t hash : telling_hashes()) {
    for (const std::uint32_t weight : {1u, 2u, 3u, 100u, 65535u}) {
      const std::uint64_t reciprocal = weight_reciprocal(weight);
      const std::uint64_t bound = weighted_score_bound(hash, weighted_score_bound_factor(reciprocal));
      EXPECT_LE(bound, weighted_score(hash, reciprocal)) << hash;
      if (hash >> 60 == 15) {
        EXPECT_GE(bound + 2, weighted_score(hash, reciprocal) / 10 * 9) << hash;
      }
    }
  }
}

TEST(Score, wins_are_in_proportion_to_weight) {
  constexpr int kRounds = 200000;
  std::mt19937_64 random(7);
  int wins = 0;
  for (int i = 0; i < kRounds; ++i) {
    const std::uint64_t heavy = weighted_score(random(), weight_reciprocal(300));
    wins += heavy < weighted_score(random(), weight_reciprocal(100)) ? 1 : 0;
  }
  EXPECT_NEAR(wins / double{kRounds}, 0.75, 0.005);
}

TEST(Score, identity_depends_on_family_address_port_and_seed) {
  Endpoint e;
  e.address.bytes = {192, 0, 2, 1};
  e.port = 80;
  const HashKey key = member_key(e, 1);
  EXPECT_EQ(member_key(e, 1), key);
  EXPECT_NE(member_key(e, 2), key);
  Endpoint other = e;
  other.port = 81;
  EXPECT_NE(member_key(other, 1), key);
  other = e;
  other.address.family = Family::ipv6;
  EXPECT_NE(member_key(other, 1), key);
  other = e;
  other.address.bytes[15] = 1;
  EXPECT_NE(member_key(other, 1), key);
}

TEST(Score, thinning_is_uniform_and_independent_of_the_hash) {
  Endpoint e;
  e.address.bytes = {192, 0, 2, 1};
  const HashKey member = member_key(e, 1);
  int low = 0;
  int low_and_wanted = 0;
  constexpr std::uint32_t kPairs = 100000;
  for (std::uint32_t slot = 0; slot < kPairs; ++slot) {
    const std::uint32_t u = thinning(slot_key(slot), member);
    ASSERT_LT(u, 65536u);
    if (u >= 16384) continue;
    ++low;
    if (pair_hash(slot_key(slot), member) >> 63 != 0) ++low_and_wanted;
  }
  EXPECT_NEAR(low / double{kPairs}, 0.25, 0.01);
  EXPECT_NEAR(low_and_wanted / double{kPairs}, 0.125, 0.01);
}

}  // namespace
}  // namespace phalanx::core

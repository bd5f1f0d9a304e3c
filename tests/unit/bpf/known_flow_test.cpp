// SPDX-License-Identifier: Apache-2.0
// Connections that are remembered: whose identity is whose, and how long a row is believed.
#include <gtest/gtest.h>
#include <lib/known_flow.h>
#include <phalanx.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <vector>

namespace phalanx {
namespace {

class KnownFlow : public ::testing::Test {
 protected:
  KnownFlow() { draw_keys(); }
  void draw_keys() {
    for (std::uint32_t i = 0; i < PHX_AGENT_FLOW_WORDS; ++i) {
      keys.first[i] = random();
      keys.second[i] = random();
    }
  }
  using Words = std::array<std::uint32_t, PHX_AGENT_FLOW_WORDS>;

  std::uint64_t identity(const Words& words) const {
    phx_flow_sums sums{};
    for (std::uint32_t i = 0; i < words.size(); ++i) {
      phx_add_word(&sums, &keys, i, words[i]);
    }
    return phx_flow_identity_of(&sums);
  }
  Words random_words() {
    Words words{};
    for (std::uint32_t& word : words) {
      word = static_cast<std::uint32_t>(random());
    }
    return words;
  }

  const std::uint64_t seed = std::random_device{}();
  std::mt19937_64 random{seed};
  phx_agent_flow_keys keys{};
};

TEST_F(KnownFlow, flows_that_differ_in_any_bit_have_other_identities) {
  SCOPED_TRACE(seed);
  for (int round = 0; round < 100; ++round) {
    const Words words = random_words();
    std::set<std::uint64_t> identities{identity(words)};
    for (std::uint32_t bit = 0; bit < 32 * PHX_AGENT_FLOW_WORDS; ++bit) {
      Words other = words;
      other[bit / 32] ^= 1u << bit % 32;
      EXPECT_TRUE(identities.insert(identity(other)).second) << "bit " << bit;
    }
  }
}

// By such pairs of bits the slot hash can be made to collide whatever its seed is.
TEST_F(KnownFlow, flows_that_differ_in_any_two_bits_have_other_identities) {
  SCOPED_TRACE(seed);
  const Words words = random_words();
  std::set<std::uint64_t> identities;
  constexpr std::uint32_t kBits = 32 * PHX_AGENT_FLOW_WORDS;
  for (std::uint32_t one = 0; one < kBits; ++one) {
    for (std::uint32_t two = one; two < kBits; ++two) {
      Words other = words;
      other[one / 32] ^= 1u << one % 32;
      other[two / 32] ^= one == two ? 0 : 1u << two % 32;
      EXPECT_TRUE(identities.insert(identity(other)).second) << "bits " << one << " and " << two;
    }
  }
}

// Whatever keys are drawn: two flows that share a row and talk at the same time are asked for each time.
TEST_F(KnownFlow, clients_with_neighbouring_ports_or_addresses_have_rows_of_their_own) {
  SCOPED_TRACE(seed);
  constexpr std::uint32_t kFlows = 8192;
  for (int round = 0; round < 200; ++round) {
    draw_keys();
    for (const std::size_t varied : {std::size_t{0}, std::size_t{2}}) {
      std::vector<unsigned> rows(PHX_AGENT_KNOWN_ROWS);
      Words words{0xcb007107, 0xc633640a, 0x00500000};
      const std::uint32_t first = static_cast<std::uint32_t>(random());
      for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
        words[varied] = PHX_SWAP32(first + flow);
        ++rows[phx_known_place(identity(words))];
      }
      const auto alone = std::count(rows.begin(), rows.end(), 1u);
      EXPECT_GT(alone, kFlows * 9 / 10) << "word " << varied;  // by chance 97 %
    }
  }
}

TEST_F(KnownFlow, a_row_is_believed_for_as_many_epochs_as_it_says) {
  for (const std::uint64_t identity : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{random()}}) {
    for (const std::uint64_t now : {std::uint64_t{5}, std::uint64_t{1} << 40}) {
      const std::uint64_t row = phx_known_row(identity, now);
      for (std::uint64_t age = 0; age < 10; ++age) {
        EXPECT_EQ(phx_is_known(row, identity, now + age) != 0, age < PHX_KNOWN_EPOCHS);
      }
      EXPECT_FALSE(phx_is_known(row, identity, now - 1)) << "of the future";
      EXPECT_FALSE(phx_is_known(row, identity + 1000, now));
    }
  }
}

TEST_F(KnownFlow, an_epoch_is_32_jiffies) {
  EXPECT_EQ(phx_known_epoch(31), 0u);
  EXPECT_EQ(phx_known_epoch(32), 1u);
}

}  // namespace
}  // namespace phalanx

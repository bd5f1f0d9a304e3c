// SPDX-License-Identifier: Apache-2.0
// Text that nobody wrote for us: with control characters, mutated, or very long.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "adapters/config/config_file.hpp"
#include "adapters/config/decode.hpp"
#include "config_example.hpp"

namespace phalanx::adapters {
namespace {

TEST(Config, hostile_text_is_escaped_in_sentences) {
  const std::string lines = judge_node({{"name", "\x1b[2J\n\xc3\xa9"}});
  EXPECT_EQ(lines.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1) << lines;
  const json long_name = {{"name", std::string(5000, 'x')}};
  EXPECT_LT(judge_node(long_name).size(), 300u);
}

TEST(Config, a_key_with_a_line_break_cannot_forge_a_line) {
  const std::string lines = judge_node({{"x\nf:1: /: fine", 1}});
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1) << lines;
}

// Any bytes are judged: whatever is accepted survives being written and read again.
TEST(Config, mutations_never_crash_and_what_is_accepted_is_sound) {
  constexpr unsigned kSeed = 20240607;
  std::mt19937 random(kSeed);
  const std::vector<std::string> pieces = {
      "{",       "}",    "[",    "]",    ":",     ",",     "\"",
      "\\u0000", "null", "true", "-1",   "1e308", "65536", "0",
      "\n",      "//",   "/*",   "\xff", "\"\"",  "::1",   "999999999999999999999",
      "\"tcp\"", "{}",   "[]"};
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = kExample;
    for (auto edits = 1 + random() % 4; edits > 0; --edits) {
      const std::size_t place = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[place] = static_cast<char>(random());
          break;
        case 1:
          text.erase(place, 1 + random() % 12);
          break;
        case 2:
          text.insert(place, pieces[random() % pieces.size()]);
          break;
        default:
          text.insert(place, text.substr(random() % text.size(), random() % 60));
      }
      if (text.empty()) {
        text = " ";
      }
    }
    const ParsedConfig parsed = parse_config(text);
    const bool errors = std::any_of(parsed.problems.begin(), parsed.problems.end(),
                                    [](const Problem& problem) { return !problem.warning; });
    ASSERT_NE(parsed.config.has_value(), errors) << "seed " << kSeed << " round " << round << "\n" << text;
    if (parsed.config) {
      ++accepted;
      ASSERT_EQ(parse_config(to_json(*parsed.config).dump()).config, parsed.config)
          << "seed " << kSeed << " round " << round << "\n"
          << text;
    }
  }
  EXPECT_GT(accepted, 100) << "the mutations are too coarse to reach the rules";
}

TEST(Config, a_large_configuration_is_read_quickly) {
  json document = example();
  document["node"]["limits"] = {{"slots", 1 << 23}, {"services", 2000}, {"backends", 65535}};
  for (int i = 0; i < 1000; ++i) {
    document["services"].push_back(
        {{"name", "s" + std::to_string(i)},
         {"vips", {"198.51." + std::to_string(i / 250) + "." + std::to_string(i % 250)}},
         {"protocol", "tcp"},
         {"port", 80},
         {"slots", 4096},
         {"backends", backends(10)}});
  }
  const std::string text = document.dump(2);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(judge(text), "");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace phalanx::adapters

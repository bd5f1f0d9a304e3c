// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "config_example.hpp"

namespace phalanx::adapters {
namespace {

std::string judge_announce(const json& announce) {
  return judge_node({{"announce", announce}});
}

TEST(ConfigAnnounce, reads_writes_and_reads_again) {
  json document = example();
  document["node"]["announce"] = {{"bird", "/run/b.ctl"},
                                  {"protocols", {"v4", "v6"}},
                                  {"fallback", {"v4_worse"}},
                                  {"grace", "90s"},
                                  {"withdraw_wait", "250ms"}};
  const ParsedConfig parsed = parse_config(document.dump());
  ASSERT_TRUE(parsed.config) << judge(document.dump());
  const core::AnnounceSettings expected{.bird = "/run/b.ctl",
                                        .protocols = {"v4", "v6"},
                                        .fallback = {"v4_worse"},
                                        .grace = milliseconds(90'000),
                                        .withdraw_wait = milliseconds(250)};
  EXPECT_EQ(parsed.config->node.announce, expected);
  EXPECT_EQ(parse_config(to_json(*parsed.config).dump()).config, parsed.config);
}

TEST(ConfigAnnounce, protocols_are_enough) {
  json document = example();
  document["node"]["announce"] = {{"protocols", {"v4"}}};
  const ParsedConfig parsed = parse_config(document.dump());
  ASSERT_TRUE(parsed.config) << judge(document.dump());
  EXPECT_EQ(parsed.config->node.announce->bird, "/run/bird/bird.ctl");
  EXPECT_EQ(parsed.config->node.announce->grace, milliseconds(60'000));
  EXPECT_EQ(parsed.config->node.announce->withdraw_wait, milliseconds(2'000));
  EXPECT_FALSE(parse_config(kExample).config->node.announce);
}

TEST(ConfigAnnounce, every_error_is_a_sentence_at_its_place) {
  const auto expect = [](const json& announce, const char* sentence) {
    const std::string said = judge_announce(announce);
    EXPECT_NE(said.find(sentence), std::string::npos) << announce << "\n" << said;
  };
  expect("phalanx4", "/node/announce: ");
  expect(json::object(), "protocols");
  expect({{"protocols", json::array()}}, "/node/announce/protocols: ");
  for (const char* name : {"", "4v", "a b", "all", "a;b", "a\nb"}) {
    expect({{"protocols", {name}}}, "/node/announce/protocols/0: ");
  }
  expect({{"protocols", {"a", "a"}}}, "each is named once");
  expect({{"protocols", {"a"}}, {"fallback", {"a"}}}, "stands at /node/announce/protocols/0 already");
  expect({{"protocols", {"a"}}, {"bird", "bird.ctl"}}, "write an absolute path");
  expect({{"protocols", {"a"}}, {"bird", "/" + std::string(200, 'x')}}, "at most 107 bytes");
  expect({{"protocols", {"a"}}, {"grace", "10ms"}}, "/node/announce/grace: ");
  expect({{"protocols", {"a"}}, {"withdraw_wait", "1h"}}, "/node/announce/withdraw_wait: ");
  expect({{"protocols", {"a"}}, {"protocol", "b"}}, "protocols");
}

}  // namespace
}  // namespace phalanx::adapters

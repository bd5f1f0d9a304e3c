// SPDX-License-Identifier: Apache-2.0
#include "adapters/state/state_document.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "adapters/config/config_file.hpp"

namespace phalanx::adapters {
namespace {

constexpr const char* kConfig = R"({
  "node": { "name": "edge-a", "interfaces": ["eth0"], "tunnel_source": ["10.0.0.5", "fd00::5"] },
  "checks": { "web": { "type": "http", "path": "/healthz" } },
  "services": [
    { "name": "web", "vips": ["203.0.113.10", "2001:db8::10"], "protocol": ["tcp", "udp"], "port": 80,
      "check": "web", "slots": 4096,
      "backends": [ { "name": "web-1", "address": "10.0.1.11", "zone": "rack-1" },
                    { "name": "web-2", "address": "fd00::12", "weight": 200 } ] },
    { "name": "same", "vips": ["203.0.113.11"], "protocol": "tcp", "port": 80, "check": "web", "slots": 4096,
      "backends": [ { "name": "other-name", "address": "10.0.1.11" } ] } ] })";

core::AppliedState applied() {
  core::AppliedState state;
  const ParsedConfig parsed = parse_config(kConfig);
  EXPECT_TRUE(parsed.config) << (parsed.problems.empty() ? "" : parsed.problems.front().sentence);
  state.config = parsed.config.value();
  const auto layout = core::Layout(state.config.node.limits).successor(state.config, {}, {});
  EXPECT_TRUE(layout);
  state.layout = *layout;
  state.overrides[{"web", *core::parse_endpoint("10.0.1.11:80")}].disabled = true;
  state.overrides[{"web", *core::parse_endpoint("[fd00::12]:80")}].disabled = true;
  state.generation = 0xffffffff7ull;
  return state;
}

nlohmann::json document() {
  return nlohmann::json::parse(write_state(applied()));
}

std::string refusal(const nlohmann::json& json) {
  const auto read = read_state(json.dump());
  return read ? "accepted" : read.error().message;
}

TEST(StateDocument, gives_back_what_was_written) {
  const core::AppliedState written = applied();
  const auto read = read_state(write_state(written));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->config, written.config);
  EXPECT_EQ(read->layout.entries(), written.layout.entries());
  EXPECT_EQ(read->layout.services(), written.layout.services());
  EXPECT_EQ(read->layout.limits(), written.layout.limits());
  EXPECT_EQ(read->overrides, written.overrides);
  EXPECT_EQ(read->generation, written.generation);
}

TEST(StateDocument, keeps_the_entry_that_two_services_share) {
  const auto read = read_state(write_state(applied()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->layout.entries().size(), 2u);
}

TEST(StateDocument, says_which_service_has_damaged_rows) {
  auto json = document();
  json["rows"].erase("web");
  EXPECT_EQ(refusal(json), "the rows of service \"web\" are damaged: missing");
  json = document();
  json["rows"]["web"]["index"] = json["rows"]["same"]["index"];
  EXPECT_NE(refusal(json).find("damaged: index"), std::string::npos);
  json = document();
  json["rows"]["web"]["entries"][1] = json["rows"]["web"]["entries"][0];
  EXPECT_NE(refusal(json).find("damaged: entries"), std::string::npos);
  json = document();
  json["rows"]["web"]["offset"] = 1u << 20;
  EXPECT_NE(refusal(json).find("damaged: region"), std::string::npos);
  json = document();
  json["rows"]["web"]["offset"] = json["rows"]["same"]["offset"];
  EXPECT_EQ(refusal(json), "two services have the same slots");
}

TEST(StateDocument, refuses_another_version_and_an_invalid_configuration) {
  auto json = document();
  json["document"] = 2;
  EXPECT_EQ(refusal(json), "the state document is not of version 1");
  json = document();
  json["config"]["services"][0]["port"] = 0;
  EXPECT_NE(refusal(json).find("/services/0/port"), std::string::npos);
  json = document();
  json["overrides"][0].erase("endpoint");
  EXPECT_EQ(refusal(json), "an override is damaged");
}

TEST(StateDocument, refuses_every_truncation) {
  const std::string whole = write_state(applied());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(read_state(std::string_view(whole).substr(0, length))) << length;
  }
}

TEST(StateDocument, survives_any_garbage) {
  const std::string whole = write_state(applied());
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = whole;
    for (unsigned change = 0; change <= random() % 4; ++change) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    const auto read = read_state(damaged);
    if (!read) {
      EXPECT_FALSE(read.error().message.empty());
    }
  }
}

}  // namespace
}  // namespace phalanx::adapters

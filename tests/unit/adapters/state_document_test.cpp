// SPDX-License-Identifier: Apache-2.0
#include "adapters/state/state_document.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
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

core::EntryIdentity identity(const char* endpoint, std::optional<core::Check> check,
                             core::Forward forward = core::Forward::ipip, std::uint16_t tunnel_port = 0) {
  return {*core::parse_endpoint(endpoint), forward, tunnel_port, std::move(check)};
}

// Two that agree in check and forwarding, one of another forwarding, one without check; and one at the place
// of an entry that is served, whose check has changed.
std::map<core::EntryIdentity, core::EntryIndex> lingering() {
  core::Check tcp;
  tcp.port = 8081;
  tcp.interval = std::chrono::milliseconds(50);
  tcp.timeout = std::chrono::milliseconds(20);
  return {{identity("10.0.1.20:80", tcp), 20},
          {identity("[fd00::21]:443", tcp), 21},
          {identity("10.0.1.20:80", tcp, core::Forward::l2), 22},
          {identity("10.0.1.20:80", tcp, core::Forward::nat), 25},
          {identity("10.0.1.20:80", tcp, core::Forward::gue, 6080), 26},
          {identity("10.0.1.20:80", tcp, core::Forward::gue, 6081), 27},
          {identity("10.0.1.23:80", std::nullopt), 4095},
          {identity("10.0.1.11:80", tcp), 24}};
}

core::AppliedState applied() {
  core::AppliedState state;
  const ParsedConfig parsed = parse_config(kConfig);
  EXPECT_TRUE(parsed.config) << (parsed.problems.empty() ? "" : parsed.problems.front().sentence);
  state.config = parsed.config.value();
  const auto layout = core::Layout(state.config.node.limits).successor(state.config, {}, {});
  EXPECT_TRUE(layout);
  state.layout = core::Layout(layout->limits(), layout->entries(), layout->services(), lingering());
  state.overrides[{"web", *core::parse_endpoint("10.0.1.11:80")}] = {
      .disabled = true, .drained = true, .weight = std::uint16_t{0}};
  state.overrides[{"web", *core::parse_endpoint("[fd00::12]:80")}].drained = true;
  state.overrides[{"same", *core::parse_endpoint("10.0.1.11:80")}].weight = 65535;
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
  EXPECT_EQ(read->layout.lingering(), written.layout.lingering());
  EXPECT_EQ(read->layout.lingering().size(), 8u);
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
  json["document"] = 1;
  EXPECT_EQ(refusal(json), "the state document is not of version 2");
  json = document();
  json["config"]["services"][0]["port"] = 0;
  EXPECT_NE(refusal(json).find("/services/0/port"), std::string::npos);
  json = document();
  json["overrides"][0].erase("endpoint");
  EXPECT_EQ(refusal(json), "an override is damaged");
}

TEST(StateDocument, keeps_the_operators_word_about_the_node) {
  core::AppliedState state = applied();
  EXPECT_FALSE(document().contains("node_drained"));
  state.node_drained = true;
  nlohmann::json written = nlohmann::json::parse(write_state(state));
  EXPECT_TRUE(read_state(written.dump())->node_drained);
  written["node_drained"] = "yes";
  EXPECT_FALSE(read_state(written.dump()));
  written.erase("node_drained");
  EXPECT_FALSE(read_state(written.dump())->node_drained);
}

TEST(StateDocument, writes_of_an_override_only_what_was_said) {
  const auto overrides = document()["overrides"];
  ASSERT_EQ(overrides.size(), 3u);
  EXPECT_EQ(overrides[0],
            nlohmann::json::parse(R"({"service": "same", "endpoint": "10.0.1.11:80", "weight": 65535})"));
  EXPECT_EQ(overrides[2],
            nlohmann::json::parse(R"({"service": "web", "endpoint": "[fd00::12]:80", "drained": true})"));
}

TEST(StateDocument, refuses_an_override_that_is_damaged) {
  for (const char* damage :
       {R"({"disabled": 1})", R"({"drained": "yes"})", R"({"weight": 65536})", R"({"weight": -1})",
        R"({"endpoint": "10.0.1.11"})", R"({"disabled": false, "drained": false, "weight": null})"}) {
    auto json = document();
    json["overrides"][1].merge_patch(nlohmann::json::parse(damage));
    EXPECT_EQ(refusal(json), "an override is damaged") << damage;
  }
}

TEST(StateDocument, entries_that_linger_share_what_they_agree_in) {
  EXPECT_EQ(document()["lingering"].size(), 6u);
}

TEST(StateDocument, refuses_entries_that_linger_and_are_damaged) {
  const auto with = [](const char* place, const nlohmann::json& value) {
    auto json = document();
    json["lingering"][nlohmann::json::json_pointer(place)] = value;
    return refusal(json);
  };
  EXPECT_EQ(with("/0", 7), "an entry that lingers is damaged: forward or entries");
  EXPECT_EQ(with("/0/forward", "fullnat"), "an entry that lingers is damaged: forward or entries");
  EXPECT_EQ(with("/0/forward", "gue"), "an entry that lingers is damaged: gue_port");
  EXPECT_EQ(with("/0/entries", 7), "an entry that lingers is damaged: forward or entries");
  EXPECT_EQ(
      with("/0/check", {{"type", "icmp"}}),
      "an entry that lingers is damaged: read a check: \"icmp\" is not built yet; built so far: \"tcp\" and "
      "\"http\"");
  EXPECT_EQ(with("/0/entries/nonsense", 30), "the entry \"nonsense\" that lingers is damaged");
  EXPECT_EQ(with("/0/entries/10.0.1.30:80", 4096), "the entry \"10.0.1.30:80\" that lingers is damaged");
  EXPECT_EQ(with("/0/entries/10.0.1.30:80", -1), "the entry \"10.0.1.30:80\" that lingers is damaged");
  EXPECT_EQ(with("/0/entries/10.0.1.30:80", 4095), "the entry \"10.0.1.30:80\" that lingers is there twice");
  EXPECT_EQ(with("/0/entries/10.0.1.30:80", 0), "the entry \"10.0.1.30:80\" that lingers is there twice");
}

TEST(StateDocument, refuses_a_gue_entry_that_lingers_at_no_port) {
  for (const nlohmann::json& wrong : {nlohmann::json(0), nlohmann::json(65536), nlohmann::json("6080")}) {
    auto json = document();
    for (auto& group : json["lingering"]) {
      if (group["forward"] == "gue") {
        group["gue_port"] = wrong;
      }
    }
    EXPECT_EQ(refusal(json), "an entry that lingers is damaged: gue_port") << wrong;
  }
}

TEST(StateDocument, refuses_an_entry_that_is_served_and_lingers) {
  auto json = document();
  json["lingering"].push_back(
      {{"forward", "ipip"}, {"check", json["config"]["checks"]["web"]}, {"entries", {{"10.0.1.11:80", 30}}}});
  EXPECT_EQ(refusal(json), "the entry \"10.0.1.11:80\" that lingers is there twice");
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

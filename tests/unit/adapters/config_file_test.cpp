// SPDX-License-Identifier: Apache-2.0
#include "adapters/config/config_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "adapters/config/decode.hpp"
#include "config_example.hpp"

namespace phalanx::adapters {
namespace {

TEST(Config, reads_the_example_with_its_defaults) {
  const ParsedConfig parsed = parse_config(kExample);
  ASSERT_TRUE(parsed.config) << judge(kExample);
  EXPECT_TRUE(parsed.problems.empty());
  const core::Node& node = parsed.config->node;
  EXPECT_EQ(node.name, "edge-a");
  EXPECT_EQ(node.interfaces, std::vector<std::string>{"eth0"});
  EXPECT_EQ(node.tunnel_source_v4, (core::Prefix{address("10.0.0.5"), 32}));
  EXPECT_EQ(node.tunnel_source_v6, (core::Prefix{address("fd00::5"), 128}));
  EXPECT_EQ(node.http, core::parse_endpoint("127.0.0.1:9640"));
  EXPECT_EQ(node.limits, core::Limits{});

  ASSERT_EQ(parsed.config->services.size(), 1u);
  const core::Service& service = parsed.config->services[0];
  EXPECT_EQ(service.vips, (std::vector{address("203.0.113.10"), address("2001:db8::10")}));
  EXPECT_EQ(service.protocols, std::vector{core::Protocol::tcp});
  EXPECT_EQ(service.slots, 65536u);
  EXPECT_EQ(service.seed, default_seed("web"));
  EXPECT_EQ(service.no_backend, core::NoBackend::reject);
  EXPECT_EQ(service.track, core::Track::automatic);
  EXPECT_EQ(service.on_down, core::OnDown::move);
  EXPECT_EQ(service.unmatched, core::Unmatched::pass);
  EXPECT_EQ(service.transition, milliseconds(600'000));
  EXPECT_EQ(service.settle, milliseconds(5'000));
  EXPECT_EQ(service.slow_start, milliseconds(0));
  ASSERT_TRUE(service.check);
  EXPECT_EQ(service.check->interval, milliseconds(100));
  EXPECT_EQ(service.check->timeout, milliseconds(80));
  EXPECT_EQ(service.check->fall, 3);
  ASSERT_EQ(service.backends.size(), 2u);
  EXPECT_EQ(service.backends[0].endpoint, core::parse_endpoint("10.0.1.11:80"));
  EXPECT_EQ(service.backends[0].weight, 100);
  EXPECT_EQ(service.backends[1].weight, 200);
  EXPECT_EQ(service.backends[1].zone, "rack-2");
}

TEST(Config, reads_every_key_that_is_built) {
  const ParsedConfig parsed = parse_config(R"({
    "node": {"name": "n", "interfaces": ["eth0", "eth1"], "xdp_mode": "generic", "attach": "link", "agent": false,
             "on_exit": "detach", "tunnel_source": ["10.9.0.0/24", "fd00:9::/64"],
             "limits": {"services": 9, "backends": 8, "slots": 8192, "flows": 7, "fragments": 6}},
    "checks": {"c": {"type": "http", "port": 8080, "interval": "2s", "timeout": "1s", "fall": 5, "rise": 4, "path": "/x?y",
                     "host": "example.net", "expect_status": [204, "301-302"]}},
    "services": [{"name": "s", "vips": ["203.0.113.1"], "protocol": ["udp", "tcp"], "port": 53, "forward": "gue", "gue_port": 6081, "check": "c",
                  "slots": 4096, "seed": 18446744073709551615, "no_backend": "last-good", "on_down": "keep", "unmatched": "reject",
                  "track": "all", "transition": "90s", "settle": "0s", "slow_start": "250ms",
                  "backends": [{"name": "b", "address": "192.0.2.1", "port": 53, "weight": 65535, "zone": "é", "tier": 255}]}]})");
  ASSERT_TRUE(parsed.config);
  EXPECT_TRUE(parsed.problems.empty());
  EXPECT_EQ(parsed.config->node.xdp_mode, core::XdpMode::generic);
  EXPECT_EQ(parsed.config->node.on_exit, core::OnExit::detach);
  EXPECT_EQ(parsed.config->node.limits, (core::Limits{9, 8, 8192, 7, 6}));
  EXPECT_EQ(parsed.config->node.tunnel_source_v4, (core::Prefix{address("10.9.0.0"), 24}));
  EXPECT_EQ(parsed.config->node.tunnel_source_v6, (core::Prefix{address("fd00:9::"), 64}));
  const core::Service& service = parsed.config->services.at(0);
  EXPECT_EQ(service.protocols, (std::vector{core::Protocol::tcp, core::Protocol::udp}));
  EXPECT_EQ(service.forward, core::Forward::gue);
  EXPECT_EQ(service.gue_port, 6081);
  EXPECT_EQ(service.unmatched, core::Unmatched::reject);
  EXPECT_EQ(service.seed, UINT64_MAX);
  EXPECT_EQ(service.no_backend, core::NoBackend::last_good);
  EXPECT_EQ(service.track, core::Track::all);
  EXPECT_EQ(service.on_down, core::OnDown::keep);
  EXPECT_EQ(service.transition, milliseconds(90'000));
  EXPECT_EQ(service.settle, milliseconds(0));
  EXPECT_EQ(service.slow_start, milliseconds(250));
  EXPECT_EQ(service.check->port, 8080);
  EXPECT_EQ(service.check->expect_status, (std::vector<core::StatusRange>{{204, 204}, {301, 302}}));
  EXPECT_EQ(service.backends.at(0).tier, 255);
}

TEST(Config, written_and_read_again_is_the_same) {
  json document = example();
  document["services"].push_back({{"name", "dns"},
                                  {"vips", {"203.0.113.11"}},
                                  {"protocol", {"udp", "tcp"}},
                                  {"port", 53},
                                  {"forward", "l2"},
                                  {"seed", 18446744073709551615u},
                                  {"no_backend", "last-good"},
                                  {"track", "none"},
                                  {"on_down", "keep"},
                                  {"transition", "1s"},
                                  {"settle", "0ms"},
                                  {"slow_start", "61s"},
                                  {"backends", backends(3)}});
  document["services"].push_back({{"name", "tunnel"},
                                  {"vips", {"203.0.113.12"}},
                                  {"protocol", "tcp"},
                                  {"port", 80},
                                  {"forward", "gue"},
                                  {"gue_port", 65535},
                                  {"unmatched", "drop"},
                                  {"backends", backends(3)}});
  document["services"].push_back({{"name", "nat"},
                                  {"vips", {"203.0.113.13"}},
                                  {"protocol", "tcp"},
                                  {"port", 80},
                                  {"forward", "nat"},
                                  {"unmatched", "reject"},
                                  {"backends", backends(3)}});
  document["node"]["tunnel_source"] = {"10.9.0.0/24", "fd00:9::/64"};
  document["node"]["limits"]["fragments"] = 16777216;
  document["checks"]["web"]["port"] = 8081;
  document["checks"]["web"]["interval"] = "1500ms";
  for (const std::string& text : {std::string(kExample), document.dump()}) {
    const auto config = parse_config(text).config;
    ASSERT_TRUE(config) << judge(text);
    const auto again = parse_config(to_json(*config).dump());
    EXPECT_TRUE(again.problems.empty()) << judge(to_json(*config).dump());
    EXPECT_EQ(again.config, config);
  }
}

TEST(Config, an_empty_list_of_services_is_a_configuration) {
  const auto parsed = parse_config(R"({"node": {"name": "n", "interfaces": ["eth0"]}, "services": []})");
  ASSERT_TRUE(parsed.config);
  EXPECT_EQ(parse_config(to_json(*parsed.config).dump()).config, parsed.config);
}

TEST(Config, names_every_error_at_once_each_with_its_line) {
  EXPECT_EQ(
      judge(R"({
  "node": { "name": "edge a", "interfaces": [] },
  "checks": { "web": { "type": "tcp",
                       "path": "/" } },
  "services": [
    { "name": "web", "vips": ["224.0.0.1"],
      "protocol": "sctp",
      "port": 70000,
      "chek": "web",
      "backends": [
        { "name": "b" },
        { "name": "b", "address": "10.0.0.1",
          "weight": -1 }
      ] }
  ]
})"),
      "f:2: /node/name: \"edge a\" is not a name; a name has 1 to 63 letters, digits, dots, underscores or "
      "hyphens\n"
      "f:2: /node/interfaces: this list is empty; it needs at least one element\n"
      "f:4: /checks/web/path: this belongs to checks of type \"http\" only\n"
      "f:6: /services/0/vips/0: 224.0.0.1 is a multicast address and cannot be a VIP\n"
      "f:7: /services/0/protocol: \"sctp\" is not known; known are \"tcp\" and \"udp\"\n"
      "f:8: /services/0/port: this must be a whole number from 1 to 65535, not 70000\n"
      "f:9: /services/0/chek: there is no such key here; the nearest known one is \"check\"\n"
      "f:11: /services/0/backends/0: the key \"address\" is missing here\n"
      "f:12: /services/0/backends/1/name: the backend on line 11 is named \"b\" too; names are unique in a "
      "service\n"
      "f:13: /services/0/backends/1/weight: this must be a whole number from 0 to 65535, not -1\n");
}

TEST(Config, a_syntax_error_has_its_line) {
  EXPECT_EQ(
      judge("{\n  \"node\": {},\n  oops\n}"),
      "f:3: /: this is not JSON: column 3: syntax error while parsing object key - invalid literal; last "
      "read: '\"node\": {},<U+000A>  o'; expected string literal\n");
  EXPECT_TRUE(judge("").starts_with("f:1: /: this is not JSON: ")) << judge("");
  EXPECT_TRUE(judge("{\n\n").starts_with("f:2: /: this is not JSON: ")) << judge("{\n\n");
  EXPECT_TRUE(judge("{} {}").starts_with("f:1: /: this is not JSON: ")) << judge("{} {}");
  EXPECT_TRUE(judge("[1e999]").starts_with("f:1: /: this is not JSON: number overflow")) << judge("[1e999]");
  EXPECT_TRUE(judge("\"\xff\"").starts_with("f:1: /: this is not JSON: ")) << judge("\"\xff\"");
}

TEST(Config, a_number_before_a_newline_counts_to_its_own_line) {
  EXPECT_EQ(judge("\n[1\n]"), "f:2: /: this must be an object, not a list\n");
  EXPECT_EQ(judge("{\"node\": {\"name\": \"n\", \"interfaces\": [\"a\",\n7\n]}, \"services\": []}"),
            "f:2: /node/interfaces/1: this must be a string, not a number\n");
}

TEST(Config, a_key_written_twice_names_both_lines) {
  EXPECT_EQ(judge("{\"node\": {\"name\": \"n\",\n \"interfaces\": [\"a\"],\n \"name\": {\"x\": "
                  "1}},\n\"services\": []}"),
            "f:3: /node/name: this key is already written on line 1; remove one of them\n");
}

TEST(Config, deep_nesting_is_refused) {
  EXPECT_EQ(judge(std::string(100000, '[')),
            "f:1: /: the document is nested deeper than 32 levels; no configuration is\n");
  std::string objects;
  for (int i = 0; i < 50000; ++i) {
    objects += "{\"a\":";
  }
  EXPECT_EQ(judge(objects), "f:1: /: the document is nested deeper than 32 levels; no configuration is\n");
}

TEST(Config, an_empty_object_misses_its_required_keys) {
  EXPECT_EQ(judge("{}"),
            "f:1: /: the key \"node\" is missing here\nf:1: /: the key \"services\" is missing here\n");
}

TEST(Config, a_wrong_type_is_named) {
  EXPECT_EQ(judge_patched(""_json_pointer, {{"services", 5}}),
            "f:1: /services: this must be a list, not a number\n");
  EXPECT_EQ(judge_service({{"port", "http"}}),
            "f:1: /services/0/port: this must be a whole number from 1 to 65535, not a string\n");
  EXPECT_EQ(judge_service({{"port", 80.5}}),
            "f:1: /services/0/port: this must be a whole number from 1 to 65535, not 80.5\n");
  EXPECT_EQ(judge_node({{"agent", "yes"}}), "f:1: /node/agent: this must be true or false, not a string\n");
}

TEST(Config, what_is_not_built_yet_is_refused_naming_what_is) {
  EXPECT_EQ(
      judge_service({{"forward", "fullnat"}}),
      "f:1: /services/0/forward: \"fullnat\" is not built yet; built so far: \"ipip\", \"l2\", \"gue\" and "
      "\"nat\"\n");
  EXPECT_EQ(judge_service({{"port", "any"}}),
            "f:1: /services/0/port: the port \"any\" is not built yet; write a number from 1 to 65535\n");
  EXPECT_EQ(judge_check({{"type", "icmp"}}),
            "f:1: /checks/web/type: \"icmp\" is not built yet; built so far: \"tcp\" and \"http\"\n");
  EXPECT_EQ(judge_node({{"attach", "dispatcher"}}),
            "f:1: /node/attach: \"dispatcher\" is not built yet; built so far: \"link\"\n");
}

TEST(Config, what_the_program_already_does_may_be_written) {
  EXPECT_EQ(judge_service({{"unmatched", "pass"}}), "");
  EXPECT_EQ(judge_node({{"attach", "link"}, {"agent", false}}), "");
}

TEST(Config, durations_have_units_and_bounds) {
  EXPECT_EQ(judge_check({{"interval", "1h"}, {"timeout", "1m"}}), "");
  for (const char* wrong : {"", "5", "ms", "-5ms", "1.5s", " 1s", "1 s", "1d", "1S"}) {
    EXPECT_NE(judge_check({{"interval", wrong}}).find("is not a duration"), std::string::npos) << wrong;
  }
  for (const char* wrong : {"9ms", "0s", "61m", "99999999999999999999ms", "18446744073709551615h"}) {
    EXPECT_NE(judge_check({{"interval", wrong}}).find("is not between 10ms and 1h"), std::string::npos)
        << wrong;
  }
  EXPECT_EQ(
      judge_check({{"timeout", "200ms"}}),
      "f:1: /checks/web/timeout: the timeout (200ms) is longer than the interval (100ms); a probe must end "
      "before the next begins\n");
  EXPECT_EQ(judge_check({{"timeout", nullptr}}),
            "f:1: /checks/web: the timeout (500ms where none is written) is longer than the interval "
            "(100ms); a probe "
            "must end before the next begins\n");
}

TEST(Config, what_happens_to_flows_has_words_and_bounds) {
  for (const char* word : {"drop", "reject", "last-good"}) {
    EXPECT_EQ(judge_service({{"no_backend", word}}), "");
  }
  for (const char* word : {"auto", "all", "none"}) {
    EXPECT_EQ(judge_service({{"track", word}}), "");
  }
  for (const char* word : {"move", "keep"}) {
    EXPECT_EQ(judge_service({{"on_down", word}}), "");
  }
  EXPECT_EQ(judge_service({{"track", "some"}}),
            "f:1: /services/0/track: \"some\" is not known; known are \"auto\", \"all\" and \"none\"\n");
  EXPECT_EQ(judge_service({{"transition", "1s"}, {"settle", "0s"}, {"slow_start", "0s"}}), "");
  EXPECT_EQ(judge_service({{"transition", "24h"}, {"settle", "10m"}, {"slow_start", "1h"}}), "");
  EXPECT_EQ(judge_service({{"transition", "999ms"}}),
            "f:1: /services/0/transition: \"999ms\" is not between 1s and 24h\n");
  EXPECT_EQ(judge_service({{"transition", "25h"}}),
            "f:1: /services/0/transition: \"25h\" is not between 1s and 24h\n");
  EXPECT_EQ(judge_service({{"settle", "601s"}}),
            "f:1: /services/0/settle: \"601s\" is not between 0s and 10m\n");
  EXPECT_EQ(judge_service({{"slow_start", "61m"}}),
            "f:1: /services/0/slow_start: \"61m\" is not between 0s and 1h\n");
}

TEST(Config, a_check_alone_is_written_and_read_again) {
  for (
      const char* text :
      {R"({"type": "tcp", "port": 81, "fall": 1})",
       R"({"type": "http", "interval": "50ms", "timeout": "20ms", "path": "/x", "host": "h", "expect_status": ["204"]})"}) {
    const auto check = parse_check(text);
    ASSERT_TRUE(check) << check.error().message;
    EXPECT_EQ(parse_check(to_json(*check).dump()).value(), *check);
  }
  EXPECT_EQ(parse_check(R"({"type": "tcp", "port": 0})").error().message,
            "read a check: this must be a whole number from 1 to 65535, not 0");
  EXPECT_FALSE(parse_check("{"));
}

TEST(Config, http_checks_cannot_smuggle_lines) {
  EXPECT_NE(judge_check({{"path", "/x\r\nX: y"}}), "");
  EXPECT_NE(judge_check({{"path", "x"}}), "");
  EXPECT_NE(judge_check({{"host", "a b"}}), "");
  for (const json& wrong :
       {json("2xx"), json("99"), json("600"), json("299-200"), json(20), json("200-"), json("")}) {
    EXPECT_NE(judge_check({{"expect_status", {wrong}}}), "") << wrong;
  }
}

TEST(Config, slots_are_a_power_of_two) {
  EXPECT_EQ(judge_service({{"slots", 5000}}),
            "f:1: /services/0/slots: 5000 is not a power of two; write 4096, 8192, ... or 1048576\n");
  EXPECT_NE(judge_service({{"slots", 2048}}), "");
  EXPECT_NE(judge_service({{"slots", 2097152}}), "");
  EXPECT_EQ(judge_service({{"slots", 1048576}}), "");
}

TEST(Config, few_slots_a_backend_warn_and_too_few_are_refused) {
  EXPECT_EQ(judge_service({{"slots", 4096}, {"backends", backends(10)}}), "");
  EXPECT_EQ(judge_service({{"slots", 4096}, {"backends", backends(11)}}),
            "f:1: /services/0/slots: warning: 4096 slots for 11 backends are 372 each, fewer than 400; write "
            "\"slots\": "
            "8192 for an even spread\n");
  EXPECT_EQ(judge_service({{"slots", 4096}, {"backends", backends(103)}}),
            "f:1: /services/0/slots: 4096 slots for 103 backends are 39 each, fewer than 40; write "
            "\"slots\": 65536\n");
}

TEST(Config, names_and_places_are_unique) {
  json document = example();
  document["services"].push_back(document["services"][0]);
  EXPECT_EQ(
      judge(document.dump()),
      "f:1: /services/1/name: the service on line 1 is named \"web\" too; names are unique\n"
      "f:1: /services/1/vips/0: the services \"web\" (line 1) and \"web\" both claim tcp 203.0.113.10:80\n"
      "f:1: /services/1/vips/1: the services \"web\" (line 1) and \"web\" both claim tcp "
      "[2001:db8::10]:80\n");
  EXPECT_EQ(judge_service({{"vips", {"203.0.113.10", "203.0.113.10"}}}),
            "f:1: /services/0/vips/1: the service \"web\" lists this VIP twice\n");
  EXPECT_EQ(judge_backend({{"address", "10.0.1.11"}}),
            "f:1: /services/0/backends/1/address: \"web-1\" and \"web-2\" are both 10.0.1.11:80; a service "
            "has each "
            "backend once\n");
  EXPECT_EQ(judge_service({{"protocol", {"tcp", "tcp"}}}),
            "f:1: /services/0/protocol/1: this protocol is listed twice\n");
}

TEST(Config, one_vip_serves_two_services_on_other_ports_or_protocols) {
  json document = example();
  document["services"].push_back(document["services"][0]);
  document["services"][1]["name"] = "quic";
  document["services"][1]["protocol"] = "udp";
  EXPECT_EQ(judge(document.dump()), "");
}

TEST(Config, addresses_that_are_no_hosts_are_refused) {
  for (const char* wrong : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1",
                            "web", "10.0.0.1/32"}) {
    EXPECT_NE(judge_backend({{"address", wrong}}), "") << wrong;
    EXPECT_NE(judge_service({{"vips", {wrong}}}), "") << wrong;
  }
  EXPECT_EQ(
      judge_backend({{"address", "2001:db8::10"}}),
      "f:1: /services/0/backends/1/address: 2001:db8::10 is a VIP; a backend needs an address of its own\n");
}

TEST(Config, a_service_needs_a_backend_with_weight) {
  EXPECT_EQ(judge_service({{"backends", json::array()}}),
            "f:1: /services/0/backends: this list is empty; it needs at least one element\n");
  EXPECT_EQ(judge_backend({{"weight", 0}}), "");
  json document = example();
  document["services"][0]["backends"][0]["weight"] = 0;
  document["services"][0]["backends"][1]["weight"] = 0;
  EXPECT_EQ(
      judge(document.dump()),
      "f:1: /services/0/backends: every backend has weight 0, so no slot has an owner; give one of them a "
      "weight\n");
}

TEST(Config, an_unknown_check_names_the_nearest) {
  EXPECT_EQ(judge_service({{"check", "wbe"}}),
            "f:1: /services/0/check: there is no check \"wbe\" under \"checks\"; the nearest known one is "
            "\"web\"\n");
}

TEST(Config, a_check_without_service_warns) {
  EXPECT_EQ(judge_service({{"check", nullptr}}), "f:1: /checks/web: warning: no service uses this check\n");
}

TEST(Config, a_limit_that_is_too_small_is_named) {
  EXPECT_EQ(judge_node({{"limits", {{"slots", 32768}}}}),
            "f:1: /node/limits/slots: the configuration has 65536 slots in all services together, but "
            "node.limits.slots "
            "allows 32768; raise node.limits.slots\n");
  EXPECT_EQ(judge_node({{"limits", {{"backends", 1}}}}),
            "f:1: /node/limits/backends: the configuration has 2 backend entries, but node.limits.backends "
            "allows 1; "
            "raise node.limits.backends\n");
  json document = example();
  document["node"]["limits"]["services"] = 1;
  document["services"][0]["vips"].push_back("203.0.113.12");
  EXPECT_EQ(judge(document.dump()),
            "f:1: /node/limits/services: the VIPs with their ports and protocols need 6 rows, but "
            "node.limits.services 1 "
            "makes room for 4; raise node.limits.services\n");
  document["services"].push_back({{"name", "x"},
                                  {"vips", {"203.0.113.10"}},
                                  {"protocol", "udp"},
                                  {"port", 1},
                                  {"backends", backends(1)}});
  EXPECT_NE(
      judge(document.dump()).find("the configuration has 2 services, but node.limits.services allows 1"),
      std::string::npos);
}

TEST(Config, services_that_share_check_and_backends_share_entries) {
  json document = example();
  document["node"]["limits"] = {{"backends", 2}};
  document["services"].push_back(document["services"][0]);
  document["services"][1]["name"] = "web-alt";
  document["services"][1]["vips"] = {"203.0.113.20"};
  EXPECT_EQ(judge(document.dump()), "");
}

TEST(Config, node_keys_are_judged) {
  EXPECT_NE(judge_node({{"tunnel_source", {"10.0.0.5", "10.0.0.6"}}})
                .find("there is an IPv4 tunnel source already, 10.0.0.5"),
            std::string::npos);
  EXPECT_NE(judge_node({{"http", "9640"}}), "");
  EXPECT_NE(judge_node({{"http", "127.0.0.1:0"}}), "");
  EXPECT_NE(judge_node({{"interfaces", {"eth0", "eth0"}}}), "");
  EXPECT_NE(judge_node({{"interfaces", {"an-interface-too-long"}}}), "");
  EXPECT_NE(judge_node({{"interfaces", {"../x"}}}), "");
  EXPECT_NE(judge_node({{"limits", {{"backends", 65536}}}}), "");
  EXPECT_EQ(judge_node({{"xdp_mod", "auto"}}),
            "f:1: /node/xdp_mod: there is no such key here; the nearest known one is \"xdp_mode\"\n");
}

TEST(Config, a_file_that_cannot_be_read_is_a_sentence) {
  const auto absent = read_config("/nonexistent/phalanx.json");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().message,
            "read the configuration /nonexistent/phalanx.json: No such file or directory; name a file that "
            "this user may "
            "read");
  EXPECT_FALSE(read_config("/"));
}

TEST(Config, a_file_is_read_whole) {
  char path[] = "/tmp/phalanx-config-XXXXXX";
  const int fd = mkstemp(path);
  ASSERT_GE(fd, 0);
  const std::string text = kExample + std::string(200000, ' ');
  EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(fd);
  const auto parsed = read_config(path);
  unlink(path);
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->config);
}

}  // namespace
}  // namespace phalanx::adapters

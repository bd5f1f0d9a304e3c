// SPDX-License-Identifier: Apache-2.0
// How packets get to backends: what the modes ask of a configuration, and what contradicts them.
#include <gtest/gtest.h>

#include "adapters/config/forward_rules.hpp"
#include "config_example.hpp"

namespace phalanx::adapters {
namespace {

TEST(Config, l2_wants_one_family) {
  EXPECT_EQ(judge_service({{"forward", "l2"}, {"vips", {"203.0.113.10"}}}), "");
  EXPECT_EQ(judge_service({{"forward", "l2"}, {"backends", backends(1)}}),
            "f:1: /services/0/backends/0/address: \"l2\" hands packets on as they are, so 10.1.0.1 cannot "
            "serve the VIP "
            "2001:db8::10 of the other family; use \"forward\": \"ipip\" or split the service\n");
}

TEST(Config, gue_port_belongs_to_gue) {
  EXPECT_EQ(judge_service({{"forward", "gue"}}), "");
  for (const int port : {1, 6080, 65535}) {
    EXPECT_EQ(judge_service({{"forward", "gue"}, {"gue_port", port}}), "") << port;
  }
  for (const json& wrong : {json(0), json(65536), json("any"), json(-1)}) {
    EXPECT_TRUE(judge_service({{"forward", "gue"}, {"gue_port", wrong}})
                    .starts_with("f:1: /services/0/gue_port: this must be a whole number from 1 to 65535"))
        << wrong;
  }
  EXPECT_EQ(judge_service({{"gue_port", 6080}}),
            "f:1: /services/0/gue_port: this belongs to services of \"forward\": \"gue\" only; this one's is "
            "\"ipip\"\n");
  EXPECT_EQ(judge_service({{"forward", "geu"}, {"gue_port", 6081}}),
            "f:1: /services/0/forward: \"geu\" is not known; known are \"ipip\", \"l2\", \"gue\" and "
            "\"nat\"\n")
      << "it may have meant gue";
}

TEST(Config, a_node_that_is_a_backend_too_takes_gue_on_one_port) {
  const auto said = [](const std::vector<json>& changes) {
    json document = example();
    document["node"]["agent"] = true;
    const json service = document["services"][0];
    document["services"] = json::array();
    for (std::size_t i = 0; i < changes.size(); ++i) {
      json next = service;
      next.update(changes[i]);
      next["name"] = "s" + std::to_string(i);
      next["port"] = 80 + i;
      document["services"].push_back(next);
    }
    return judge(document.dump());
  };
  EXPECT_EQ(said({{{"forward", "gue"}}, {{"forward", "ipip"}}, {{"forward", "gue"}}}), "");
  EXPECT_EQ(
      said({{{"forward", "ipip"}}}),
      "f:1: /node/agent: a node that is a backend too takes what is forwarded to it by gue, and no service "
      "has \"forward\": \"gue\"\n");
  EXPECT_EQ(said({{{"forward", "gue"}}, {{"forward", "gue"}, {"gue_port", 6081}}}),
            "f:1: /services/1/gue_port: the agent of this node (\"node.agent\") listens on one port, and the "
            "services \"s0\" and \"s1\" name 6080 and 6081\n");
}

TEST(Config, a_tunnel_source_is_an_address_or_a_prefix_whose_host_part_is_zero) {
  for (const char* right : {"10.9.0.0/24", "10.9.0.7/32", "10.0.0.0/8", "fd00:9::/64", "fd00:9::7/128"}) {
    EXPECT_EQ(judge_node({{"tunnel_source", {right}}}), "") << right;
  }
  const auto sentence = [](const char* source) {
    const std::string lines = judge_node({{"tunnel_source", {source}}});
    const std::string begin = "f:1: /node/tunnel_source/0: ";
    return lines.starts_with(begin) ? lines.substr(begin.size()) : lines;
  };
  EXPECT_EQ(sentence("10.9.0.5/24"),
            "the host part of 10.9.0.5/24 is not zero; write 10.9.0.0/24, or the address alone to have no "
            "other\n");
  EXPECT_EQ(sentence("fd00:9::/63"), "fd00:9::/63 leaves 65 host bits; at most 64 can be filled in\n");
  EXPECT_EQ(sentence("0.0.0.0/0"), "0.0.0.0 is an unspecified address and cannot be a tunnel source\n");
  EXPECT_EQ(sentence("192.0.0.0/1").substr(0, 24), "the host part of 192.0.0");
  EXPECT_EQ(sentence("128.0.0.0/1"),
            "255.255.255.255 is a reserved or broadcast address and cannot be a tunnel source\n");
  EXPECT_EQ(sentence("10.9.0.0/33"),
            "\"10.9.0.0/33\" is no address and no prefix, such as \"10.9.0.5\" or \"10.9.0.0/24\"\n");
  EXPECT_EQ(judge_node({{"tunnel_source", {"10.9.0.0/24", "10.8.0.0/24"}}}),
            "f:1: /node/tunnel_source/1: there is an IPv4 tunnel source already, 10.9.0.0/24; write at most "
            "one a family\n");
}

TEST(Config, what_a_vip_does_with_unmatched_packets_is_said_alike_by_all_of_its_services) {
  for (const char* word : {"pass", "drop", "reject"}) {
    EXPECT_EQ(judge_service({{"unmatched", word}}), "") << word;
  }
  EXPECT_EQ(judge_service({{"unmatched", "accept"}}),
            "f:1: /services/0/unmatched: \"accept\" is not known; known are \"pass\", \"drop\" and "
            "\"reject\"\n");
  json document = example();
  document["services"].push_back(document["services"][0]);
  document["services"][1]["name"] = "quic";
  document["services"][1]["protocol"] = "udp";
  document["services"][1]["unmatched"] = "drop";
  EXPECT_EQ(
      judge(document.dump()),
      "f:1: /services/1/unmatched: the services \"web\" (line 1) and \"quic\" share the VIP 203.0.113.10, "
      "whose \"unmatched\" is \"pass\" in the one and \"drop\" in the other; write the same in both\n");
  document["services"][0]["unmatched"] = "drop";
  EXPECT_EQ(judge(document.dump()), "");
}

json nat_service(const char* name, const char* vip, int port, const json& own_backends) {
  return {{"name", name}, {"vips", {vip}},    {"protocol", "tcp"},
          {"port", port}, {"forward", "nat"}, {"backends", own_backends}};
}

std::string judge_services(const json& services) {
  json document = example();
  document.erase("checks");
  document["services"] = services;
  return judge(document.dump());
}

TEST(Config, a_nat_service_has_one_vip_and_backends_of_its_family) {
  const json one = nat_service("a", "203.0.113.10", 80, backends(2));
  EXPECT_EQ(judge_services(json::array({one})), "");
  json two_vips = one;
  two_vips["vips"].push_back("203.0.113.11");
  EXPECT_EQ(
      judge_services(json::array({two_vips})),
      "f:1: /services/0/vips/1: a \"nat\" service has one VIP, since what a backend answers leaves as one, "
      "and \"a\" has 203.0.113.10 and 203.0.113.11; write a service for each, with backends of its "
      "own\n");
  json both_families = one;
  both_families["backends"].push_back({{"name", "six"}, {"address", "fd00::6"}});
  EXPECT_EQ(
      judge_services(json::array({both_families})),
      "f:1: /services/0/backends/2/address: \"nat\" keeps a packet's family, so fd00::6 cannot serve the "
      "VIP 203.0.113.10 of the other family; write a service for each family\n");
}

TEST(Config, a_nat_backends_port_is_the_one_that_packets_reach) {
  json service = nat_service("a", "203.0.113.10", 80, backends(2));
  service["backends"][0]["port"] = 8080;
  EXPECT_EQ(judge_services(json::array({service})), "");
}

TEST(Config, a_nat_backend_belongs_to_one_vip_and_port) {
  const json first = nat_service("a", "203.0.113.10", 80, backends(2));
  json second = nat_service("b", "203.0.113.11", 80, backends(2));
  second["backends"][0]["port"] = 81;
  EXPECT_EQ(
      judge_services({first, second}),
      "f:1: /services/1/backends/1/address: in \"nat\" a backend's address and port belong to one VIP and "
      "port, but the services \"a\" (line 1) and \"b\" claim 10.1.0.2:80 for 203.0.113.10:80 and "
      "203.0.113.11:80; give one of them another port, or another backend\n");
  second["backends"][1]["port"] = 81;
  EXPECT_EQ(judge_services({first, second}), "");
  json other_port = nat_service("b", "203.0.113.10", 443, backends(2));
  other_port["backends"][0]["port"] = 80;
  EXPECT_NE(judge_services({first, other_port}).find("203.0.113.10:80 and 203.0.113.10:443"),
            std::string::npos);
  json udp = nat_service("b", "203.0.113.10", 80, backends(2));
  udp["protocol"] = "udp";
  EXPECT_EQ(judge_services({first, udp}), "") << "the same VIP and port";
}

TEST(Config, a_nat_backend_may_serve_other_modes_beside) {
  json tunnelled = nat_service("b", "203.0.113.11", 80, backends(2));
  tunnelled["forward"] = "ipip";
  EXPECT_EQ(judge_services({nat_service("a", "203.0.113.10", 80, backends(2)), tunnelled}), "");
}

TEST(Config, a_nat_backend_is_no_vip) {
  json service = nat_service("a", "203.0.113.10", 80, backends(1));
  service["backends"][0]["address"] = "203.0.113.10";
  service["backends"][0]["port"] = 8080;
  EXPECT_EQ(judge_services(json::array({service})),
            "f:1: /services/0/backends/0/address: 203.0.113.10 is a VIP; a backend needs an address of its "
            "own\n");
}

// With eth0 of that MTU.
std::string judge_room(const json& service_patch, int mtu) {
  json document = example();
  document["services"][0].merge_patch(service_patch);
  document["node"]["interfaces"] = {"eth0", "absent0"};
  const auto parsed = parse_config(document.dump(), [mtu](const std::string& interface) {
    return interface == "eth0" ? std::optional(mtu) : std::nullopt;
  });
  std::string lines;
  for (const Problem& problem : parsed.problems) {
    lines += to_string(problem, "f") + "\n";
  }
  return lines;
}

TEST(Config, an_interface_without_room_for_outer_headers_warns) {
  EXPECT_EQ(
      judge_room(json::object(), 1500),
      "f:1: /node/interfaces/0: warning: eth0 has an MTU of 1500, and \"ipip\" to IPv4 backends (service "
      "\"web\") takes 20 bytes: packets of more than 1480 do not fit, and their senders are told so; raise "
      "the MTU from here to the backends to 1520 (ip link set eth0 mtu 1520), or make the backends ask "
      "for less (advmss 1420 on their routes)\n");
  json ipv6 = json::array({{{"name", "six"}, {"address", "fd00::6"}}});
  json mixed = backends(2);
  mixed.push_back(ipv6.front());
  const std::vector<std::tuple<json, int>> needs = {
      {{{"forward", "ipip"}}, 1520},
      {{{"forward", "ipip"}, {"backends", ipv6}}, 1540},
      {{{"forward", "gue"}, {"backends", backends(1)}}, 1532},
      {{{"forward", "gue"}, {"backends", ipv6}}, 1552},
      {{{"forward", "gue"}, {"backends", backends(2)}}, 1540},  // and a hop
      {{{"forward", "gue"}, {"backends", backends(3)}}, 1544},  // two of them
      {{{"forward", "gue"}, {"backends", backends(9)}}, 1544},
      {{{"forward", "gue"}, {"backends", mixed}}, 1588},
  };
  for (const auto& [patch, enough] : needs) {
    EXPECT_EQ(judge_room(patch, enough), "") << patch;
    EXPECT_NE(judge_room(patch, enough - 1).find("ip link set eth0 mtu " + std::to_string(enough)),
              std::string::npos)
        << patch;
  }
  EXPECT_EQ(judge_room({{"forward", "nat"}, {"vips", {"203.0.113.10"}}}, 1280), "");
}

TEST(Config, a_port_that_packets_do_not_reach_warns) {
  EXPECT_EQ(judge_backend({{"port", 8080}}),
            "f:1: /services/0/backends/1/port: warning: packets keep the service's port 80 under this "
            "forwarding; port "
            "8080 is only probed\n");
}

}  // namespace
}  // namespace phalanx::adapters

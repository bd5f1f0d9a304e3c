// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <lib/hash.h>

#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "adapters/view/route.hpp"
#include "adapters/view_fixture.hpp"

namespace phalanx::adapters {
namespace {

using nlohmann::json;

json ask(const Node& node, const std::string& line) {
  return Route::open(node.state, node.data).value().answer_line(line);
}

constexpr const char* kFlow = "tcp 203.0.113.7:99 198.51.100.10:80";

TEST(Route, a_flow_goes_to_the_primary_of_its_slot) {
  const Node node;
  const json answer = ask(node, kFlow);
  // Slot s of the fixture has backend s % 3 as its primary.
  const auto slot = answer.at("slot").get<std::uint32_t>();
  ASSERT_LT(slot, Node::kSlots);
  EXPECT_EQ(answer.at("backend").at("name"), "web-" + std::to_string(slot % 3 + 1));
  EXPECT_EQ(answer.at("service"), "web");
  EXPECT_EQ(answer.at("role"), "primary");
  EXPECT_EQ(answer.at("verdict"), "sent");
  EXPECT_EQ(answer.at("tracked"), false);
}

TEST(Route, hashes_the_bytes_that_are_on_the_wire) {
  const Node node;
  phx_flow flow{};
  const std::uint8_t source[] = {203, 0, 113, 7};
  const std::uint8_t vip[] = {198, 51, 100, 10};
  std::memcpy(flow.source, source, 4);
  std::memcpy(flow.to.address, vip, 4);
  flow.source_port = PHX_SWAP16(99);
  flow.to.port = PHX_SWAP16(80);
  flow.to.protocol = PHX_PROTOCOL_TCP;
  flow.to.family = PHX_FAMILY_IPV4;
  EXPECT_EQ(ask(node, kFlow).at("slot"), phx_slot_hash(&flow, 77) & (Node::kSlots - 1));
}

TEST(Route, a_slot_whose_primary_is_down_is_served_by_its_backup) {
  Node node;
  const auto slot = ask(node, kFlow).at("slot").get<std::uint32_t>();
  node.set_health(slot % 3, PHX_HEALTH_DOWN, "no answer");
  const json answer = ask(node, kFlow);
  EXPECT_EQ(answer.at("backend").at("name"), "web-" + std::to_string((slot + 1) % 3 + 1));
  EXPECT_EQ(answer.at("role"), "backup");
  EXPECT_EQ(answer.at("verdict"), "sent");
}

TEST(Route, with_primary_and_backup_down_the_packet_is_dropped) {
  Node node;
  for (const std::size_t place : {0u, 1u, 2u}) {
    node.set_health(place, PHX_HEALTH_DOWN, "no answer");
  }
  const json answer = ask(node, kFlow);
  EXPECT_EQ(answer.at("verdict"), "no_backend_dropped");
  EXPECT_EQ(answer.at("service"), "web");
  EXPECT_TRUE(answer.at("slot").is_number());
  EXPECT_EQ(answer.at("backend"), nullptr);
  EXPECT_EQ(answer.at("role"), nullptr);
}

TEST(Route, with_primary_and_backup_down_the_services_rule_decides) {
  Node node;
  for (const std::size_t place : {0u, 1u, 2u}) {
    node.set_health(place, PHX_HEALTH_DOWN, "no answer");
  }
  phx_service& service = node.data.services[Node::kService];
  service.no_backend = PHX_NO_BACKEND_REJECT;
  EXPECT_EQ(ask(node, kFlow).at("verdict"), "rejected");
  EXPECT_EQ(ask(node, kFlow).at("backend"), nullptr);
  service.no_backend = PHX_NO_BACKEND_LAST_GOOD;
  EXPECT_EQ(ask(node, kFlow).at("verdict"), "no_backend_dropped");  // nobody has a next hop
  for (const std::size_t place : {0u, 1u, 2u}) {
    phx_backend& row = node.data.backends[Node::entry(place)];
    row.family = PHX_FAMILY_IPV4;
    row.next_hop[0].interface = 2;
  }
  const json answer = ask(node, kFlow);
  EXPECT_EQ(answer.at("verdict"), "last_good");
  EXPECT_EQ(answer.at("role"), "primary");
  EXPECT_EQ(answer.at("backend").at("name"),
            "web-" + std::to_string(answer.at("slot").get<std::uint32_t>() % 3 + 1));
}

TEST(Route, a_tracked_slot_is_answered_for_a_new_flow) {
  Node node;
  const auto slot = ask(node, kFlow).at("slot").get<std::uint32_t>();
  node.data.slots[Node::kOffset + slot].flags = PHX_SLOT_TRACKED;
  const json answer = ask(node, kFlow);
  EXPECT_EQ(answer.at("tracked"), true);
  EXPECT_EQ(answer.at("role"), "primary");
  EXPECT_NE(answer.at("reason").get<std::string>().find("those that exist may be elsewhere"),
            std::string::npos);
}

TEST(Route, a_services_track_rule_decides_before_its_slots) {
  Node node;
  const auto slot = ask(node, kFlow).at("slot").get<std::uint32_t>();
  phx_service& service = node.data.services[Node::kService];
  service.track = PHX_TRACK_ALL;
  EXPECT_EQ(ask(node, kFlow).at("tracked"), true);
  service.track = PHX_TRACK_NONE;
  node.data.slots[Node::kOffset + slot].flags = PHX_SLOT_TRACKED;
  EXPECT_EQ(ask(node, kFlow).at("tracked"), false);
}

TEST(Route, a_slot_without_owners_drops) {
  Node node;
  for (phx_slot& slot : node.data.slots) {
    slot = {PHX_NO_ENTRY, PHX_NO_ENTRY, PHX_NO_ENTRY, 0};
  }
  EXPECT_EQ(ask(node, kFlow).at("verdict"), "no_backend_dropped");
  node.data.services[Node::kService].no_backend = PHX_NO_BACKEND_LAST_GOOD;
  EXPECT_EQ(ask(node, kFlow).at("verdict"), "no_backend_dropped");
}

TEST(Route, a_service_without_table_drops) {
  Node node;
  node.data.store_region(Node::kService, 0);
  EXPECT_EQ(ask(node, kFlow).at("verdict"), "no_table_dropped");
}

TEST(Route, a_vip_passes_what_no_service_has) {
  const Node node;
  EXPECT_EQ(ask(node, "tcp 203.0.113.7:99 198.51.100.10:81").at("verdict"), "unmatched_passed");
  EXPECT_EQ(ask(node, "udp 203.0.113.7:99 198.51.100.10:80").at("verdict"), "unmatched_passed");
}

TEST(Route, a_vips_unmatched_decides_about_what_no_service_has) {
  Node node;
  for (const auto& [rule, verdict] :
       {std::pair{PHX_UNMATCHED_PASS, "unmatched_passed"}, std::pair{PHX_UNMATCHED_DROP, "unmatched_dropped"},
        std::pair{PHX_UNMATCHED_REJECT, "unmatched_rejected"}}) {
    ASSERT_TRUE(node.data.put_vip(vip_key("198.51.100.10", 0, 0),
                                  {PHX_NO_SERVICE, static_cast<std::uint32_t>(rule)}));
    const json answer = ask(node, "udp 203.0.113.7:99 198.51.100.10:80");
    EXPECT_EQ(answer.at("verdict"), verdict);
    EXPECT_NE(answer.at("reason").get<std::string>().find("no service has UDP port 80"), std::string::npos);
    EXPECT_EQ(answer.at("forward"), nullptr);
  }
  EXPECT_EQ(ask(node, kFlow).at("verdict"), "sent");
}

TEST(Route, says_how_the_packet_gets_to_its_backend) {
  Node node;
  for (const std::size_t place : {0u, 1u, 2u}) {
    phx_backend& row = node.data.backends[Node::entry(place)];
    row.family = PHX_FAMILY_IPV4;
    row.address[0] = 10;
    row.address[3] = 7;
    row.port = PHX_SWAP16(8080);
  }
  const auto with_mode = [&](phx_forward forward) {
    for (const std::size_t place : {0u, 1u, 2u}) {
      phx_backend& row = node.data.backends[Node::entry(place)];
      row.forward = static_cast<std::uint8_t>(forward);
      row.tunnel_port = forward == PHX_FORWARD_GUE ? PHX_SWAP16(6081) : std::uint16_t{0};
    }
    return ask(node, kFlow);
  };
  const json ipip = with_mode(PHX_FORWARD_IPIP);
  EXPECT_EQ(ipip.at("forward"), "ipip");
  EXPECT_EQ(ipip.at("outer"), (json{{"address", "10.0.0.7"}, {"port", nullptr}}));
  EXPECT_EQ(ipip.at("rewritten"), nullptr);
  const json l2 = with_mode(PHX_FORWARD_L2);
  EXPECT_EQ(l2.at("forward"), "l2");
  EXPECT_EQ(l2.at("outer"), nullptr);
  EXPECT_EQ(l2.at("rewritten"), nullptr);
  const json gue = with_mode(PHX_FORWARD_GUE);
  EXPECT_EQ(gue.at("forward"), "gue");
  EXPECT_EQ(gue.at("outer"), (json{{"address", "10.0.0.7"}, {"port", 6081}}));
  const json nat = with_mode(PHX_FORWARD_NAT);
  EXPECT_EQ(nat.at("forward"), "nat");
  EXPECT_EQ(nat.at("outer"), nullptr);
  EXPECT_EQ(nat.at("rewritten"), (json{{"address", "10.0.0.7"}, {"port", 8080}}));
}

TEST(Route, says_who_else_gets_a_packet_of_gue) {
  Node node;
  for (const std::size_t place : {0u, 1u, 2u}) {
    phx_backend& row = node.data.backends[Node::entry(place)];
    row.family = PHX_FAMILY_IPV4;
    row.forward = PHX_FORWARD_GUE;
    row.address[3] = static_cast<std::uint8_t>(place + 1);
    row.state |= PHX_STATE_REACHABLE;
  }
  const auto slot = ask(node, kFlow).at("slot").get<std::uint32_t>();
  const std::size_t backup = (slot + 1) % 3;
  const auto hop = [](std::size_t place) {
    return json{{"name", "web-" + std::to_string(place + 1)},
                {"address", "0.0.0." + std::to_string(place + 1)}};
  };
  const json both = ask(node, kFlow);
  EXPECT_EQ(both.at("hops").at(0), hop(backup)) << "who begins is best off with the backup";
  EXPECT_EQ(both.at("hops").size(), both.at("later_hops").size());
  node.data.backends[Node::entry(backup)].state |= PHX_STATE_DRAINING;
  const auto names = [&](const char* key) {
    std::set<std::string> found;
    const json answer = ask(node, kFlow);
    for (const json& each : answer.at(key)) {
      found.insert(each.at("name").get<std::string>());
    }
    return found;
  };
  const std::string draining = "web-" + std::to_string(backup + 1);
  EXPECT_FALSE(names("hops").contains(draining)) << "nothing new goes to it";
  EXPECT_TRUE(names("later_hops").contains(draining)) << "its connections do";
  node.data.backends[Node::entry(backup)].state &= ~std::uint64_t{PHX_STATE_REACHABLE};
  EXPECT_FALSE(names("later_hops").contains(draining)) << "its host is gone";
}

TEST(Route, what_is_not_for_a_vip_is_foreign) {
  const Node node;
  const json answer = ask(node, "tcp 203.0.113.7:99 198.51.100.11:80");
  EXPECT_EQ(answer.at("verdict"), "foreign_passed");
  EXPECT_EQ(answer.at("service"), nullptr);
}

TEST(Route, ipv6_flows_are_asked_for_with_brackets) {
  const Node node;
  const json answer = ask(node, " tcp\t[2001:db8:1::7]:99  [2001:db8::10]:80 \r\n");
  EXPECT_EQ(answer.at("verdict"), "sent");
}

TEST(Route, the_answer_has_the_backends_address) {
  const Node node;
  std::set<std::string> addresses;
  for (int port = 1; port <= 200; ++port) {
    const json answer = ask(node, "tcp 203.0.113.7:" + std::to_string(port) + " 198.51.100.10:80");
    addresses.insert(answer.at("backend").at("address"));
  }
  EXPECT_EQ(addresses, (std::set<std::string>{"10.0.1.11", "10.0.2.12", "fd00::13"}));
}

TEST(Route, a_bad_line_is_answered_with_the_line_and_what_is_wrong) {
  const Node node;
  for (const std::string line :
       {"", "tcp", "tcp 203.0.113.7:99", "icmp 203.0.113.7:99 198.51.100.10:80",
        "tcp 203.0.113.7 198.51.100.10:80", "tcp 203.0.113.7:99 198.51.100.10:80 more",
        "tcp [2001:db8::7]:99 198.51.100.10:80", "tcp 203.0.113.7:99999 198.51.100.10:80",
        "tcp \x1b[2J:1 198.51.100.10:80"}) {
    const json answer = ask(node, line);
    EXPECT_EQ(answer.at("line"), line);
    EXPECT_GT(answer.at("error").get<std::string>().size(), 20u);
    EXPECT_EQ(answer.at("error").get<std::string>().find('\x1b'), std::string::npos);
  }
}

TEST(Route, two_thousand_answers_read_the_vips_once_and_take_well_under_a_second) {
  const Node node;
  const auto before = std::chrono::steady_clock::now();
  const Route route = Route::open(node.state, node.data).value();
  for (int port = 1; port <= 2000; ++port) {
    EXPECT_TRUE(
        route.answer_line("tcp 203.0.113.7:" + std::to_string(port) + " 198.51.100.10:80").contains("slot"));
  }
  EXPECT_EQ(node.data.reads_of_vips, 1);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(500));
}

}  // namespace
}  // namespace phalanx::adapters

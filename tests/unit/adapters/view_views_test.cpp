// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "adapters/view/views.hpp"
#include "adapters/view_fixture.hpp"

namespace phalanx::adapters {
namespace {

using nlohmann::json;

json backend(const Node& node, std::size_t place) {
  return backends_view(node.state, node.data).at(place);
}

TEST(BackendsView, says_all_of_a_backend) {
  Node node;
  node.data.traffic_of_backends[Node::entry(0)] = {7, 700};
  EXPECT_EQ(backend(node, 0), json::parse(R"({"service": "web", "name": "web-1", "address": "10.0.1.11",
    "port": 80, "weight": 100, "configured_weight": 100, "zone": "rack-1", "tier": 0, "state": "up", "since": "2026-03-01T12:00:00.123Z",
    "reason": "", "override": null, "slots": {"primary": 1366, "backup": 1365}, "flows": 0, "packets": 7, "bytes": 700})"));
}

TEST(BackendsView, a_failed_backend_is_down_and_says_why) {
  Node node;
  node.set_health(1, PHX_HEALTH_DOWN, "connection refused");
  EXPECT_EQ(backend(node, 1).at("state"), "down");
  EXPECT_EQ(backend(node, 1).at("reason"), "connection refused");
}

TEST(BackendsView, a_reason_that_fills_its_field_ends_there) {
  Node node;
  const std::string longest(sizeof(phx_backend_status::reason), 'x');
  node.set_health(1, PHX_HEALTH_DOWN, longest);
  EXPECT_EQ(backend(node, 1).at("reason"), longest);
}

TEST(BackendsView, a_healthy_backend_without_up_bit_is_down) {
  Node node;
  node.data.store_backend_state(Node::entry(2), PHX_STATE_REACHABLE);
  EXPECT_EQ(backend(node, 2).at("state"), "down");
}

TEST(BackendsView, before_the_first_probe_a_backend_is_unknown) {
  Node node;
  node.set_health(0, PHX_HEALTH_UNKNOWN, "");
  EXPECT_EQ(backend(node, 0).at("state"), "unknown");
}

TEST(BackendsView, the_operators_word_shows_as_state_and_override) {
  Node node;
  node.state.overrides[{"web", endpoint("10.0.1.11:80")}].disabled = true;
  EXPECT_EQ(backend(node, 0).at("state"), "disabled");
  EXPECT_EQ(backend(node, 0).at("override"), "disabled");
  EXPECT_EQ(backend(node, 1).at("override"), nullptr);
}

TEST(BackendsView, a_drained_backend_drains_while_it_is_up) {
  Node node;
  node.state.overrides[{"web", endpoint("10.0.1.11:80")}].drained = true;
  EXPECT_EQ(backend(node, 0).at("state"), "draining");
  EXPECT_EQ(backend(node, 0).at("override"), "draining");
  EXPECT_EQ(backend(node, 0).at("reason"), "drained by the operator");
  node.set_health(0, PHX_HEALTH_DOWN, "no answer");
  EXPECT_EQ(backend(node, 0).at("state"), "down");
  EXPECT_EQ(backend(node, 0).at("reason"), "no answer");
  EXPECT_EQ(backend(node, 0).at("override"), "draining");
}

TEST(BackendsView, shows_the_weight_in_force_beside_the_configured_one) {
  Node node;
  node.state.overrides[{"web", endpoint("10.0.1.11:80")}].weight = std::uint16_t{0};
  EXPECT_EQ(backend(node, 0).at("weight"), 0);
  EXPECT_EQ(backend(node, 0).at("configured_weight"), 100);
  EXPECT_EQ(backend(node, 0).at("override"), "weight 0");
  EXPECT_EQ(backend(node, 0).at("state"), "up");
}

TEST(BackendsView, several_words_of_the_operator_are_one_text) {
  Node node;
  node.state.overrides[{"web", endpoint("10.0.1.11:80")}] = {
      .disabled = true, .drained = true, .weight = std::uint16_t{10}};
  EXPECT_EQ(backend(node, 0).at("override"), "disabled, draining, weight 10");
  EXPECT_EQ(backend(node, 0).at("state"), "disabled");
}

TEST(BackendsView, shows_the_flows_that_it_serves) {
  Node node;
  phx_backend_status status = node.data.backend_status(Node::entry(1));
  status.flows = 17;
  node.data.write_backend_status(Node::entry(1), status);
  EXPECT_EQ(backend(node, 1).at("flows"), 17);
}

TEST(BackendsView, a_backend_that_never_changed_has_no_since) {
  Node node;
  node.data.write_backend_status(Node::entry(0), {});
  EXPECT_EQ(backend(node, 0).at("since"), nullptr);
}

TEST(ServicesView, counts_backends_that_take_traffic) {
  Node node;
  node.set_health(1, PHX_HEALTH_DOWN, "no answer");
  node.data.traffic_of_services[Node::kService] = {9, 900};
  const json service = services_view(node.state, node.data).at(0);
  EXPECT_EQ(service.at("backends_up"), 2);
  EXPECT_EQ(service.at("backends"), 3);
  EXPECT_EQ(service.at("vips"), json({"198.51.100.10", "2001:db8::10"}));
  EXPECT_EQ(service.at("protocol"), "tcp");
  EXPECT_EQ(service.at("forward"), "ipip");
  EXPECT_EQ(service.at("slots"), 4096);
  EXPECT_EQ(service.at("packets"), 9);
  EXPECT_EQ(service.at("slots_without_backup"), 0);
}

TEST(ServicesView, says_how_much_redundancy_is_left) {
  Node node;
  const auto service = [&node] { return services_view(node.state, node.data).at(0); };
  EXPECT_EQ(service().at("redundancy"), "full");
  EXPECT_EQ(service().at("zones_live"), 2);
  node.set_health(0, PHX_HEALTH_DOWN, "no answer");
  EXPECT_EQ(service().at("redundancy"), "last zone");
  EXPECT_EQ(service().at("zones_live"), 1);
  node.state.overrides[{"web", endpoint("10.0.2.12:80")}].disabled = true;
  EXPECT_EQ(service().at("redundancy"), "last backend");
  node.set_health(2, PHX_HEALTH_DOWN, "no answer");
  EXPECT_EQ(service().at("redundancy"), "none");
  EXPECT_EQ(service().at("zones_live"), 0);
}

TEST(ServicesView, a_draining_backend_is_live_but_takes_no_new_flows) {
  Node node;
  node.state.overrides[{"web", endpoint("10.0.1.11:80")}].drained = true;
  const json service = services_view(node.state, node.data).at(0);
  EXPECT_EQ(service.at("redundancy"), "full");
  EXPECT_EQ(service.at("backends_up"), 2);
}

TEST(ServicesView, counts_the_slots_that_are_tracked) {
  Node node;
  node.data.slots[Node::kOffset + 3].flags = PHX_SLOT_TRACKED;
  node.data.slots[Node::kOffset + 4095].flags = PHX_SLOT_TRACKED;
  node.data.slots[Node::kOffset + 4096].flags = PHX_SLOT_TRACKED;  // another service's
  EXPECT_EQ(services_view(node.state, node.data).at(0).at("slots_tracked"), 2);
}

TEST(ServicesView, two_protocols_are_a_list) {
  Node node;
  node.state.config.services[0].protocols = {core::Protocol::tcp, core::Protocol::udp};
  EXPECT_EQ(services_view(node.state, node.data).at(0).at("protocol"), json({"tcp", "udp"}));
}

TEST(ServicesView, the_digest_does_not_know_names_or_order_and_knows_every_slot) {
  Node one;
  Node other;
  auto& backends = other.state.config.services[0].backends;
  std::reverse(backends.begin(), backends.end());
  backends[0].name = "renamed";
  const auto digest = [](const Node& node) {
    return services_view(node.state, node.data).at(0).at("digest").get<std::string>();
  };
  EXPECT_EQ(digest(one).size(), 16u);
  EXPECT_EQ(digest(one), digest(other));
  other.data.slots[Node::kOffset + 17].backup = PHX_NO_ENTRY;
  EXPECT_NE(digest(one), digest(other));
}

TEST(SlotsView, names_the_owners_of_every_slot) {
  Node node;
  node.data.slots[Node::kOffset + 1].backup = PHX_NO_ENTRY;
  const json view = slots_view(node.state, node.data, "web").value();
  EXPECT_EQ(view.at("service"), "web");
  EXPECT_EQ(view.at("seed"), 77);
  EXPECT_EQ(view.at("slots"), 4096);
  EXPECT_EQ(view.at("table").size(), 4096u);
  EXPECT_EQ(view.at("table").at(1), json::parse(R"({"primary": "web-2", "backup": null, "previous": "web-1",
    "tracked": false})"));
  EXPECT_EQ(view.at("digest"), services_view(node.state, node.data).at(0).at("digest"));
}

TEST(SlotsView, shows_tracked_slots_and_the_digest_does_not_care) {
  Node node;
  const auto view = [&node] { return slots_view(node.state, node.data, "web").value(); };
  const json digest = view().at("digest");
  node.data.slots[Node::kOffset + 2].flags = PHX_SLOT_TRACKED;
  node.data.slots[Node::kOffset + 2].previous = 999;  // an entry that the service left
  EXPECT_EQ(view().at("table").at(1).at("tracked"), false);
  EXPECT_EQ(view().at("table").at(2).at("tracked"), true);
  EXPECT_EQ(view().at("table").at(2).at("previous"), nullptr);
  EXPECT_EQ(view().at("digest"), digest);
}

TEST(SlotsView, an_unknown_service_has_none) {
  const Node node;
  EXPECT_FALSE(slots_view(node.state, node.data, "nope"));
}

TEST(StatusView, names_every_counter_and_the_daemon) {
  Node node;
  node.data.totals[PHX_COUNTER_BY_BACKUP] = 41;
  const json view = status_view(node.state, node.data,
                                {"1.2.3", {{"eth0", "generic", "link", "no native mode"}}, {true, 4242}});
  EXPECT_EQ(view.at("node"), "edge-a");
  EXPECT_EQ(view.at("version"), "1.2.3");
  EXPECT_EQ(view.at("generation"), 3);
  EXPECT_EQ(view.at("daemon"), json::parse(R"({"running": true, "pid": 4242, "liveness": "fresh"})"));
  EXPECT_EQ(view.at("interfaces").at(0).at("mode"), "generic");
  EXPECT_EQ(view.at("counters").size(), static_cast<std::size_t>(PHX_COUNTER_COUNT));
  EXPECT_EQ(view.at("counters").at("by_backup"), 41);
}

TEST(StatusView, without_a_daemon_there_is_no_pid) {
  const Node node;
  EXPECT_EQ(status_view(node.state, node.data, {}).at("daemon"),
            json::parse(R"({"running": false, "pid": null, "liveness": "fresh"})"));
}

TEST(StatusView, says_which_program_is_where_and_whether_the_path_takes_the_daemon_for_dead) {
  const Node node;
  StatusInputs inputs;
  inputs.interfaces = {{"eth0", "native", "link", "", "0123456789abcdef"}, {"eth1", "none", "link", "gone"}};
  inputs.daemon = {.running = true, .pid = 7, .liveness_is_stale = true};
  const json view = status_view(node.state, node.data, inputs);
  EXPECT_EQ(view.at("daemon").at("liveness"), "stale");
  EXPECT_EQ(view.at("interfaces").at(0).at("program"), "0123456789abcdef");
  EXPECT_EQ(view.at("interfaces").at(1).at("program"), json());
}

TEST(StatusView, says_how_the_routes_stand_where_they_are_configured) {
  Node node;
  EXPECT_EQ(status_view(node.state, node.data, {}).at("announcement"), json());
  node.state.config.node.announce.emplace();
  node.state.node_drained = true;
  const json alone = status_view(node.state, node.data, {});
  EXPECT_EQ(alone.at("drained"), true);
  EXPECT_EQ(alone.at("announcement").at("state"), "unknown");
  EXPECT_EQ(alone.at("announcement").at("wanted"), json());
  StatusInputs inputs;
  inputs.announcement = AnnouncementStatus{"worse", "withdrawn", "drained by the operator", "BIRD hangs"};
  EXPECT_EQ(status_view(node.state, node.data, inputs).at("announcement"),
            json::parse(R"({"state": "worse", "wanted": "withdrawn", "reason": "drained by the operator",
                            "problem": "BIRD hangs"})"));
}

TEST(WriteJson, replaces_bytes_that_are_not_text) {
  EXPECT_EQ(write_json(json("a\xff")), "\"a\xef\xbf\xbd\"");
}

// 1,000 services of 1,024 slots share the million slots of the default limits.
TEST(ServicesView, a_thousand_services_take_well_under_a_second) {
  Node node;
  std::map<core::EntryIdentity, core::EntryIndex> entries = node.state.layout.entries();
  std::map<std::string, core::ServiceRows> rows;
  const core::Service pattern = node.state.config.services[0];
  node.state.config.services.clear();
  for (std::uint32_t i = 0; i < 1000; ++i) {
    core::Service service = pattern;
    service.name = "web-" + std::to_string(i);
    rows[service.name] = {i, {i * 1024, 1024}};
    phx_service row{};
    row.region = phx_region(i * 1024, 1024);
    node.data.write_service(i, row);
    node.state.config.services.push_back(service);
  }
  node.state.layout = core::Layout(core::Limits{}, entries, rows);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(services_view(node.state, node.data).size(), 1000u);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(1));
}

}  // namespace
}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "adapters/view/metrics.hpp"
#include "adapters/view/status_page.hpp"
#include "adapters/view_fixture.hpp"

namespace phalanx::adapters {
namespace {

const StatusInputs kInputs{"1.2.3", {{"eth0", "native", "link", ""}}, {true, 4242}};

std::string metrics_of(const Node& node) {
  return metrics_text(
      node.state, node.data, kInputs,
      {.start_time_s = 1772366400,
       .probes_failed = 5,
       .flows = {.occupancy = 12, .limit = 65536, .expired = 3, .evicted = 4, .memory_bytes = 5242880}});
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, every_counter_of_the_path_is_there_with_its_help) {
  Node node;
  node.data.totals[PHX_COUNTER_SENT] = 12;
  const std::string text = metrics_of(node);
#define PHX_X(name, label, help)                                                  \
  EXPECT_TRUE(has_line(text, "# HELP phalanx_" #label "_total " help)) << #label; \
  EXPECT_TRUE(has_line(text, "# TYPE phalanx_" #label "_total counter")) << #label;
  PHX_COUNTERS(PHX_X)
#undef PHX_X
  EXPECT_TRUE(has_line(text, "phalanx_sent_total 12"));
}

TEST(Metrics, how_the_routes_stand_is_a_gauge_a_preference_where_they_are_announced) {
  const Node node;
  EXPECT_EQ(metrics_of(node).find("phalanx_announced"), std::string::npos);
  StatusInputs inputs = kInputs;
  inputs.announcement = AnnouncementStatus{"worse", "worse", "no backend can be reached", ""};
  const std::string text = metrics_text(node.state, node.data, inputs, {});
  EXPECT_TRUE(has_line(text, "phalanx_announced{preference=\"preferred\"} 0"));
  EXPECT_TRUE(has_line(text, "phalanx_announced{preference=\"worse\"} 1"));
  EXPECT_TRUE(has_line(text, "phalanx_announcement_known 1"));
}

TEST(Metrics, a_backend_down_shows_as_such) {
  Node node;
  node.set_health(1, PHX_HEALTH_DOWN, "no answer");
  const std::string text = metrics_of(node);
  const std::string labels = R"(service="web",backend="web-2",address="10.0.2.12:80",zone="rack-2")";
  EXPECT_TRUE(has_line(text, "phalanx_backend_up{" + labels + "} 0"));
  EXPECT_TRUE(has_line(text, "phalanx_backend_state{" + labels + R"(,state="down"} 1)"));
  EXPECT_TRUE(has_line(text, "phalanx_backend_state{" + labels + R"(,state="up"} 0)"));
  EXPECT_TRUE(has_line(text, "phalanx_backend_slots{" + labels + R"(,role="primary"} 1365)"));
  EXPECT_TRUE(has_line(text, R"(phalanx_service_backends_up{service="web"} 2)"));
}

TEST(Metrics, redundancy_counts_down_to_none) {
  Node node;
  node.data.slots[Node::kOffset].flags = PHX_SLOT_TRACKED;
  node.data.slots[Node::kOffset].backup = PHX_NO_ENTRY;
  std::string text = metrics_of(node);
  EXPECT_TRUE(has_line(text, R"(phalanx_service_redundancy{service="web"} 3)"));
  EXPECT_TRUE(has_line(text, R"(phalanx_service_backends_live{service="web"} 3)"));
  EXPECT_TRUE(has_line(text, R"(phalanx_service_zones_live{service="web"} 2)"));
  EXPECT_TRUE(has_line(text, R"(phalanx_service_slots_tracked{service="web"} 1)"));
  EXPECT_TRUE(has_line(text, R"(phalanx_service_slots_without_backup{service="web"} 1)"));
  for (const int left : {2, 1, 0}) {
    node.set_health(static_cast<std::size_t>(2 - left), PHX_HEALTH_DOWN, "no answer");
    text = metrics_of(node);
    EXPECT_TRUE(has_line(text, R"(phalanx_service_redundancy{service="web"} )" + std::to_string(left)));
    EXPECT_TRUE(has_line(text, R"(phalanx_service_backends_live{service="web"} )" + std::to_string(left)));
  }
  EXPECT_TRUE(has_line(text, R"(phalanx_service_zones_live{service="web"} 0)"));
}

TEST(Metrics, a_draining_backend_shows_its_flows) {
  Node node;
  node.state.overrides[{"web", endpoint("10.0.2.12:80")}].drained = true;
  phx_backend_status status = node.data.backend_status(Node::entry(1));
  status.flows = 9;
  node.data.write_backend_status(Node::entry(1), status);
  const std::string text = metrics_of(node);
  const std::string labels = R"(service="web",backend="web-2",address="10.0.2.12:80",zone="rack-2")";
  EXPECT_TRUE(has_line(text, "phalanx_backend_flows{" + labels + "} 9"));
  EXPECT_TRUE(has_line(text, "phalanx_backend_state{" + labels + R"(,state="draining"} 1)"));
  EXPECT_TRUE(has_line(text, "phalanx_backend_up{" + labels + "} 0"));
}

TEST(Metrics, the_flow_table_has_occupancy_limit_and_memory) {
  const std::string text = metrics_of(Node());
  EXPECT_TRUE(has_line(text, "phalanx_flows 12"));
  EXPECT_TRUE(has_line(text, "phalanx_flows_limit 65536"));
  EXPECT_TRUE(has_line(text, "phalanx_flow_expirations_total 3"));
  EXPECT_TRUE(has_line(text, "# TYPE phalanx_flow_evictions_total counter"));
  EXPECT_TRUE(has_line(text, "phalanx_flow_evictions_total 4"));
  EXPECT_TRUE(has_line(text, "phalanx_flow_table_bytes 5242880"));
}

TEST(Metrics, the_daemon_counts_its_own_doing) {
  const std::string text = metrics_of(Node());
  EXPECT_TRUE(has_line(text, R"(phalanx_build_info{version="1.2.3",node="edge-a"} 1)"));
  EXPECT_TRUE(has_line(text, "phalanx_start_time_seconds 1772366400"));
  EXPECT_TRUE(has_line(text, R"(phalanx_probes_total{verdict="fail"} 5)"));
  EXPECT_TRUE(has_line(text, R"(phalanx_interface_attached{interface="eth0",mode="native"} 1)"));
}

TEST(Metrics, labels_are_escaped) {
  Node node;
  node.state.config.services[0].backends[0].zone = "a\"b\\c\nd";
  EXPECT_NE(metrics_of(node).find(R"(zone="a\"b\\c\nd")"), std::string::npos);
}

TEST(Metrics, every_line_is_of_the_exposition_format) {
  const std::regex sample(R"re([a-z_0-9]+(\{([a-z]+="([^"\\]|\\.)*",?)*\})? [-+.0-9e]+)re");
  std::istringstream lines(metrics_of(Node()));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.starts_with("# ") || std::regex_match(line, sample)) << line;
  }
}

TEST(StatusPage, names_backends_and_their_state_and_fetches_nothing) {
  Node node;
  node.set_health(1, PHX_HEALTH_DOWN, "<b>no</b> answer");
  const std::string page = status_page(node.state, node.data, kInputs);
  EXPECT_NE(page.find("web-2"), std::string::npos);
  EXPECT_NE(page.find("<td class=\"down\">down</td>"), std::string::npos);
  EXPECT_NE(page.find("&lt;b&gt;no&lt;/b&gt; answer"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  EXPECT_EQ(page.find("src="), std::string::npos);
  EXPECT_EQ(page.find("http://"), std::string::npos);
}

}  // namespace
}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "cli/reports.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/table.hpp"

namespace phalanx::cli {
namespace {

using nlohmann::json;

json backend(const std::string& name, const std::string& state, int flows) {
  return {{"service", "web"},
          {"name", name},
          {"address", "10.0.1.11"},
          {"port", 80},
          {"state", state},
          {"reason", ""},
          {"slots", {{"primary", 32768}, {"backup", 32768}}},
          {"flows", flows}};
}

json service(const std::string& redundancy) {
  return {{"name", "web"},
          {"vips", {"203.0.113.10", "2001:db8::10"}},
          {"protocol", "tcp"},
          {"port", 80},
          {"forward", "ipip"},
          {"backends_up", 1},
          {"backends", 2},
          {"redundancy", redundancy},
          {"digest", "0123456789abcdef"}};
}

std::size_t widest(const std::string& text) {
  std::istringstream lines(text);
  std::size_t width = 0;
  for (std::string line; std::getline(lines, line);) {
    width = std::max(width, display_width(line));
  }
  return width;
}

TEST(BackendsText, shows_flows_only_while_a_backend_drains) {
  EXPECT_EQ(backends_text({backend("web-1", "up", 0), backend("web-2", "up", 3)}, 80),
            "SERVICE  BACKEND  ADDRESS       STATE  PRIMARY  BACKUP  REASON\n"
            "web      web-1    10.0.1.11:80  up       32768   32768\n"
            "web      web-2    10.0.1.11:80  up       32768   32768\n");
  EXPECT_EQ(backends_text({backend("web-1", "up", 0), backend("web-2", "draining", 3)}, 80),
            "SERVICE  BACKEND  ADDRESS       STATE     PRIMARY  BACKUP  FLOWS  REASON\n"
            "web      web-1    10.0.1.11:80  up          32768   32768      0\n"
            "web      web-2    10.0.1.11:80  draining    32768   32768      3\n");
}

TEST(BackendsText, fits_80_columns_whatever_drains) {
  json long_one = backend(std::string(63, 'n'), "draining", 65536);
  long_one["service"] = std::string(63, 's');
  long_one["address"] = "2001:db8:1234:5678:9abc:def0:1234:5678";
  long_one["reason"] = std::string(115, 'r');
  long_one["slots"] = {{"primary", 1048576}, {"backup", 1048576}};
  EXPECT_LE(widest(backends_text(json::array({long_one}), 80)), 80u);
}

TEST(ServicesText, shows_redundancy_only_where_some_is_lost) {
  EXPECT_EQ(services_text(json::array({service("full")}), 80),
            "SERVICE  VIPS             PROTO  PORT  FORWARD   UP  DIGEST\n"
            "web      203.0.113.10 +1  tcp      80  ipip     1/2  0123456789abcdef\n");
  EXPECT_EQ(services_text({service("full"), service("last backend")}, 80),
            "SERVICE  VIPS             PROTO  PORT  REDUNDANCY     UP  DIGEST\n"
            "web      203.0.113.10 +1  tcp      80  full          1/2  0123456789abcdef\n"
            "web      203.0.113.10 +1  tcp      80  last backend  1/2  0123456789abcdef\n");
}

TEST(ServicesText, fits_80_columns) {
  json long_one = service("last backend");
  long_one["name"] = std::string(63, 's');
  long_one["protocol"] = {"tcp", "udp"};
  long_one["port"] = 65535;
  long_one["backends"] = 4096;
  EXPECT_LE(widest(services_text(json::array({long_one}), 80)), 80u);
}

}  // namespace
}  // namespace phalanx::cli

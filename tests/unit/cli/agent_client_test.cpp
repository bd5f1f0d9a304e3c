// SPDX-License-Identifier: Apache-2.0
#include "cli/agent_client.hpp"

#include <gtest/gtest.h>

namespace phalanx::cli {
namespace {

core::Service web() {
  core::Service service;
  service.vips = {*core::parse_address("203.0.113.10"), *core::parse_address("2001:db8::10")};
  service.port = 80;
  return service;
}

TEST(AgentClient, counts_the_connections_of_the_service_alone) {
  const std::string answer = R"({"vips": [], "connections": [
    {"vip": "203.0.113.10", "port": 80, "established": 3}, {"vip": "2001:db8::10", "port": 80, "established": 4},
    {"vip": "203.0.113.10", "port": 443, "established": 50}, {"vip": "203.0.113.11", "port": 80, "established": 60}]})";
  EXPECT_EQ(connections_in(answer, web()).value(), 7u);
  EXPECT_EQ(connections_in(R"({"connections": []})", web()).value(), 0u);
}

TEST(AgentClient, refuses_what_no_agent_says) {
  for (const char* answer :
       {"", "ok", "[]", "{}", R"({"connections": 3})",
        R"({"connections": [{"vip": "203.0.113.10", "port": 80}]})",
        R"({"connections": [{"vip": 7, "port": 80, "established": 1}]})",
        R"({"connections": [{"vip": "203.0.113.10", "port": 80, "established": "many"}]})"}) {
    const auto refused = connections_in(answer, web());
    ASSERT_FALSE(refused) << answer;
    EXPECT_EQ(refused.error().message, "the answer is not a phalanx-agent's");
  }
}

TEST(AgentClient, says_that_nobody_answers) {
  const auto nobody = living_connections({*core::parse_address("127.0.0.1"), 1}, web());
  ASSERT_FALSE(nobody);
  EXPECT_TRUE(nobody.error().message.starts_with("ask the agent at 127.0.0.1:1: ")) << nobody.error().message;
}

}  // namespace
}  // namespace phalanx::cli

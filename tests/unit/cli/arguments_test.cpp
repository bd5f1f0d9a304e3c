// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "cli/daemon_client.hpp"

namespace phalanx::cli {
namespace {

Invocation read(std::vector<const char*> words) {
  words.insert(words.begin(), "phalanx");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Invocation invocation = read_arguments(static_cast<int>(words.size()), words.data());
  testing::internal::GetCapturedStdout();
  testing::internal::GetCapturedStderr();
  return invocation;
}

TEST(Arguments, common_options_are_known_before_and_behind_every_command) {
  const std::vector<std::vector<const char*>> commands = {{"up", "--config", "f"},
                                                          {"down"},
                                                          {"check", "f"},
                                                          {"status"},
                                                          {"services"},
                                                          {"backends"},
                                                          {"slots", "web"},
                                                          {"disable", "b"},
                                                          {"enable", "b"},
                                                          {"drain", "b"},
                                                          {"undrain", "b"},
                                                          {"weight", "b", "5"},
                                                          {"events"},
                                                          {"reload"},
                                                          {"node", "drain"},
                                                          {"node", "undrain"},
                                                          {"guard", "--config", "f"},
                                                          {"route", "--batch", "-"}};
  for (std::vector<const char*> words : commands) {
    words.insert(words.end(), {"--pin-dir", "/p", "--socket", "/s", "--json"});
    const Invocation behind = read(words);
    EXPECT_TRUE(behind.command) << words[0];
    EXPECT_EQ(behind.arguments.pin_dir, "/p") << words[0];
    EXPECT_EQ(behind.arguments.socket, "/s") << words[0];
    EXPECT_TRUE(behind.arguments.json) << words[0];
  }
  const Invocation before = read({"--pin-dir", "/p", "--json", "slots", "web"});
  EXPECT_TRUE(before.command);
  EXPECT_EQ(before.arguments.pin_dir, "/p");
  EXPECT_EQ(before.arguments.name, "web");
}

TEST(Arguments, wrong_usage_ends_with_2) {
  const std::vector<std::vector<const char*>> wrong = {
      {},
      {"nonsense"},
      {"up"},
      {"slots"},
      {"status", "--nonsense"},
      {"route"},
      {"route", "tcp", "1.2.3.4:5"},
      {"route", "tcp", "1.2.3.4:5", "5.6.7.8:80", "--batch", "-"},
      {"disable"},
      {"drain"},
      {"drain", "b", "--timeout", "5m"},
      {"drain", "b", "--wait", "--timeout", "5"},
      {"drain", "b", "--wait", "--timeout", "0s"},
      {"drain", "b", "--wait", "--timeout", "25h"},
      {"undrain", "b", "--wait"},
      {"weight", "b"},
      {"weight", "b", "-1"},
      {"weight", "b", "65536"},
      {"weight", "b", "1.5"},
      {"weight", "b", "10%"},
      {"weight", "5"}};
  for (const auto& words : wrong) {
    const Invocation invocation = read(words);
    EXPECT_FALSE(invocation.command);
    EXPECT_EQ(invocation.exit_code, kWrongUsage);
  }
}

TEST(Arguments, help_and_version_end_with_0) {
  for (const auto& words :
       std::vector<std::vector<const char*>>{{"--help"}, {"--version"}, {"route", "--help"}}) {
    const Invocation invocation = read(words);
    EXPECT_FALSE(invocation.command);
    EXPECT_EQ(invocation.exit_code, kDone);
  }
}

TEST(Arguments, a_flow_is_three_words) {
  const Invocation invocation = read({"route", "tcp", "[2001:db8::7]:99", "[2001:db8::10]:80", "--json"});
  ASSERT_TRUE(invocation.command);
  EXPECT_EQ(invocation.arguments.flow,
            (std::vector<std::string>{"tcp", "[2001:db8::7]:99", "[2001:db8::10]:80"}));
}

TEST(Arguments, a_weight_is_a_number_or_the_configurations) {
  const Invocation number = read({"weight", "web-2", "65535", "--service", "web"});
  ASSERT_TRUE(number.command);
  EXPECT_EQ(number.arguments.name, "web-2");
  EXPECT_EQ(number.arguments.weight, 65535);
  EXPECT_EQ(number.arguments.service, "web");
  EXPECT_EQ(read({"weight", "web-2", "0"}).arguments.weight, 0);
  const Invocation config = read({"weight", "web-2", "config"});
  ASSERT_TRUE(config.command);
  EXPECT_FALSE(config.arguments.weight);
}

TEST(Arguments, a_drain_waits_where_it_is_told_to) {
  const Invocation plain = read({"drain", "web-2"});
  ASSERT_TRUE(plain.command);
  EXPECT_FALSE(plain.arguments.wait);
  const Invocation waiting = read({"drain", "web-2", "--wait"});
  EXPECT_TRUE(waiting.arguments.wait);
  EXPECT_EQ(waiting.arguments.timeout, std::chrono::minutes(10));
  EXPECT_EQ(read({"drain", "web-2", "--wait", "--timeout", "90s"}).arguments.timeout,
            std::chrono::seconds(90));
}

TEST(Arguments, the_commands_that_need_a_daemon_say_to_start_it) {
  const std::string nowhere = "/nonexistent/phalanx";
  EXPECT_EQ(connect_daemon(nowhere, "/nonexistent/socket", "drain web-2").error().message,
            "drain web-2: no daemon runs on /nonexistent/phalanx; start phalanxd (phalanxd --config FILE)");
}

TEST(UrlEncode, leaves_nothing_that_means_something_in_a_url) {
  EXPECT_EQ(url_encode("web-1_a.b~"), "web-1_a.b~");
  EXPECT_EQ(url_encode("a/b?c&d=e f\xff"), "a%2Fb%3Fc%26d%3De%20f%FF");
}

}  // namespace
}  // namespace phalanx::cli

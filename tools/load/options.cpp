// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace phalanx::load {
namespace {

std::optional<unsigned> parse_port(const std::string& text) {
  if (text.empty() || text.size() > 5 || text.find_first_not_of("0123456789") != std::string::npos) {
    return std::nullopt;
  }
  const unsigned long port = std::strtoul(text.c_str(), nullptr, 10);
  if (port == 0 || port > 65535) return std::nullopt;
  return static_cast<unsigned>(port);
}

std::optional<Target> parse_target(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  const std::optional<unsigned> port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  Target target;
  target.text = text;
  target.host = text.substr(0, colon);
  if (target.host.front() == '[' && target.host.back() == ']') {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(static_cast<in_port_t>(*port));
    const std::string bare = target.host.substr(1, target.host.size() - 2);
    if (inet_pton(AF_INET6, bare.c_str(), &v6.sin6_addr) != 1) return std::nullopt;
    std::memcpy(&target.address, &v6, sizeof v6);
    target.address_length = sizeof v6;
    return target;
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(static_cast<in_port_t>(*port));
  if (inet_pton(AF_INET, target.host.c_str(), &v4.sin_addr) != 1) return std::nullopt;
  std::memcpy(&target.address, &v4, sizeof v4);
  target.address_length = sizeof v4;
  return target;
}

const char* const kFooter =
    "Writes a JSON object a line to standard output: \"start\", then \"established\", \"ended\", "
    "\"broken\",\n"
    "\"failure\", \"slow\" as they happen, \"progress\" each second, \"phase\" at SIGUSR1 (what was felt "
    "since the last\n"
    "one), and \"summary\" last. Times are CLOCK_MONOTONIC; \"start\" has wall_ns of the same instant.\n"
    "Exit status: 0 measured, 1 could not measure, 2 wrong usage.\n\n"
    "Example: phalanx-load --target 203.0.113.10:80 --target '[2001:db8::10]:80' --duration-s 10\n";

}  // namespace

Options parse_options(int argc, char** argv) {
  CLI::App app{"Keeps HTTP connections busy at a steady pace and writes down what they felt."};
  app.footer(kFooter);
  std::vector<std::string> targets;
  Options options;
  long interval_ms = options.interval.count();
  long timeout_ms = options.timeout.count();
  long slow_ms = options.slow.count();
  double duration_s = 0;
  app.add_option("--target", targets, "ADDRESS:PORT or [V6]:PORT; several take turns")->required();
  app.add_option("--connections", options.connections, "how many, each from its own port (200)")
      ->check(CLI::Range(1, 15000));
  app.add_option("--interval-ms", interval_ms, "between the beginnings of a connection's requests (20)")
      ->check(CLI::Range(1, 3600000));
  app.add_option("--timeout-ms", timeout_ms, "a request may take, connecting included (3000)")
      ->check(CLI::Range(1, 3600000));
  app.add_option("--slow-ms", slow_ms, "successes at least this slow get a line (500)")
      ->check(CLI::Range(1, 3600000));
  app.add_option("--duration-s", duration_s, "seconds to run; 0: until SIGINT or SIGTERM (0)")
      ->check(CLI::Range(0.0, 86400.0));
  app.add_option("--path", options.path, "of each request (/)");
  app.add_flag("--fresh", options.fresh, "a new connection for each request: none outlives a fault");
  app.add_option("--requests", options.requests,
                 "the client ends a connection after this many to half as many again; 0: never (0)")
      ->check(CLI::Range(0, 1000000));
  app.add_flag("--every-request", options.every_request, "a line for every success");
  try {
    app.parse(argc, argv);
    for (const std::string& text : targets) {
      std::optional<Target> target = parse_target(text);
      if (!target) throw CLI::ValidationError("--target", text + " is not ADDRESS:PORT nor [V6]:PORT");
      options.targets.push_back(*target);
    }
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  options.interval = std::chrono::milliseconds(interval_ms);
  options.timeout = std::chrono::milliseconds(timeout_ms);
  options.slow = std::chrono::milliseconds(slow_ms);
  options.duration = std::chrono::milliseconds(static_cast<long>(duration_s * 1000));
  return options;
}

}  // namespace phalanx::load

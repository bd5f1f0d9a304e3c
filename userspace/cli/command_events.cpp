// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/daemon_client.hpp"
#include "cli/output.hpp"

namespace phalanx::cli {
namespace {

using nlohmann::json;

std::string field(const json& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_string() ? found->get<std::string>() : "";
}

// "2026-03-01T12:00:00.123Z  health  web/web-2  up -> down: connection refused"
std::string sentence(const json& event) {
  std::string text = field(event, "time") + "  " + field(event, "type");
  if (const std::string service = field(event, "service"); !service.empty()) {
    const std::string backend = field(event, "backend");
    text += "  " + service + (backend.empty() ? "" : "/" + backend);
  }
  if (const std::string to = field(event, "to"); !to.empty()) {
    const std::string from = field(event, "from");
    text += "  " + (from.empty() ? "" : from + " -> ") + to;
  }
  const std::string reason = field(event, "reason");
  return text + (reason.empty() ? "" : ": " + reason);
}

}  // namespace

int run_events(const Arguments& arguments) {
  const auto daemon = connect_daemon(arguments.pin_dir, arguments.socket, "show events");
  if (!daemon) {
    return complain(daemon.error());
  }
  std::string target = "/v1/events?follow=" + std::string(arguments.follow ? "1" : "0");
  if (!arguments.since.empty()) {
    target += "&since=" + url_encode(arguments.since);
  }
  const auto shown = daemon->follow({"GET", target}, [&arguments](std::string_view line) {
    const json event = json::parse(line, nullptr, false);
    print((arguments.json || !event.is_object() ? std::string(line) : sentence(event)) + "\n");
    std::fflush(stdout);
  });
  return shown ? kDone : complain(shown.error());
}

}  // namespace phalanx::cli

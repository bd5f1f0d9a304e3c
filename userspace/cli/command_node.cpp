// SPDX-License-Identifier: Apache-2.0
// node drain, node undrain: the operator's word about the whole node.
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/announcement.hpp"
#include "cli/commands.hpp"
#include "cli/daemon_client.hpp"
#include "cli/output.hpp"

namespace phalanx::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kConfirmWithin{10};
constexpr std::chrono::milliseconds kPoll{50};

// Until the routing daemon did what the daemon wants of it; what is wanted may be more than the operator's
// word.
Result<json> wait_for_routes(const DaemonClient& daemon, const std::string& attempt) {
  const auto deadline = std::chrono::steady_clock::now() + kConfirmWithin;
  for (;;) {
    auto announcement = ask_announcement(daemon);
    if (!announcement || announcement->is_null() || announcement->at("state") == announcement->at("wanted")) {
      return announcement;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(attempt + ": the word is spoken and stays, but the routes do not follow: " +
                  announcement->at("problem").get<std::string>());
    }
    std::this_thread::sleep_for(kPoll);
  }
}

void report(bool drained, const json& announcement) {
  const std::string state = announcement.is_null() ? "" : announcement.at("state").get<std::string>();
  if (drained) {
    print(
        "The node is drained: its routes to the VIPs are withdrawn, and routers send it nothing new.\n"
        "\"phalanx node undrain\" takes the word back.\n");
  } else if (announcement.is_null()) {
    print("The node is no longer drained.\n");
  } else {
    print("The node is no longer drained: its routes to the VIPs are " + state + " (" +
          announcement.at("reason").get<std::string>() + ").\n");
  }
}

}  // namespace

int run_node_word(const Arguments& arguments, bool drained) {
  const std::string attempt = drained ? "drain the node" : "undrain the node";
  const auto daemon = connect_daemon(arguments.pin_dir, arguments.socket, attempt);
  if (!daemon) {
    return complain(daemon.error());
  }
  if (const auto answer = daemon->ask({"POST", drained ? "/v1/node/drain" : "/v1/node/undrain"}); !answer) {
    return complain(answer.error());
  }
  const auto announcement = wait_for_routes(*daemon, attempt);
  if (!announcement) {
    return complain(announcement.error());
  }
  if (arguments.json) {
    print_json({{"drained", drained}, {"announcement", *announcement}});
  } else {
    report(drained, *announcement);
  }
  return kDone;
}

}  // namespace phalanx::cli

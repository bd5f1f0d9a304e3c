// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/daemon_client.hpp"
#include "cli/membership_names.hpp"
#include "cli/output.hpp"
#include "cli/pinned_node.hpp"

namespace phalanx::cli {
namespace {

std::string target_of(const Arguments& arguments) {
  const std::string value = arguments.weight ? std::to_string(*arguments.weight) : "config";
  return "/v1/backends/" + url_encode(arguments.name) + "/weight?value=" + value +
         (arguments.service ? "&service=" + url_encode(*arguments.service) : std::string());
}

}  // namespace

int run_weight(const Arguments& arguments) {
  const auto node = open_pinned_node(arguments.pin_dir);
  if (!node) {
    return complain(node.error());
  }
  const auto meant =
      adapters::find_backend(node->state, arguments.name, arguments.service, "set the weight of the backend");
  if (!meant) {
    return complain(meant.error());
  }
  const auto daemon =
      connect_daemon(arguments.pin_dir, arguments.socket, "set the weight of " + arguments.name);
  if (!daemon) {
    return complain(daemon.error());
  }
  if (const auto answer = daemon->ask({"POST", target_of(arguments)}); !answer) {
    return complain(answer.error());
  }
  const std::vector<std::string> services = service_names(*meant);
  if (arguments.json) {
    print_json({{"backend", arguments.name},
                {"services", services},
                {"weight", arguments.weight ? nlohmann::json(*arguments.weight) : nlohmann::json("config")}});
  } else if (arguments.weight) {
    print(arguments.name + " has weight " + std::to_string(*arguments.weight) + " in " + joined(services) +
          ", until \"phalanx weight " + arguments.name + " config\".\n");
  } else {
    print(arguments.name + " has the weight of the configuration in " + joined(services) + ".\n");
  }
  return kDone;
}

}  // namespace phalanx::cli

// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "adapters/view/names.hpp"
#include "cli/commands.hpp"
#include "cli/daemon_client.hpp"
#include "cli/output.hpp"
#include "cli/pinned_node.hpp"
#include "daemon/offline.hpp"

namespace phalanx::cli {
namespace {

// By the daemon if one runs: it alone may write then.
Result<void> set_disabled(const Arguments& arguments, bool disabled) {
  const auto pid = daemon_pid(arguments.pin_dir);
  if (!pid) {
    return daemon::set_disabled(arguments.pin_dir, arguments.name, arguments.service, disabled);
  }
  std::string target = "/v1/backends/" + url_encode(arguments.name) + (disabled ? "/disable" : "/enable");
  if (arguments.service) {
    target += "?service=" + url_encode(*arguments.service);
  }
  const auto answer = DaemonClient(arguments.socket, *pid).ask({"POST", target});
  return answer ? Result<void>() : Failure(answer.error());
}

}  // namespace

int run_disable(const Arguments& arguments, bool disabled) {
  const auto node = open_pinned_node(arguments.pin_dir);
  if (!node) {
    return complain(node.error());
  }
  const auto meant = adapters::find_backend(node->state, arguments.name, arguments.service,
                                            disabled ? "disable the backend" : "enable the backend");
  if (!meant) {
    return complain(meant.error());
  }
  if (const auto done = set_disabled(arguments, disabled); !done) {
    return complain(done.error());
  }
  nlohmann::json services = nlohmann::json::array();
  std::string names;
  for (const adapters::Membership& membership : *meant) {
    services.push_back(membership.service->name);
    names += (names.empty() ? "" : ", ") + membership.service->name;
  }
  if (arguments.json) {
    print_json({{"backend", arguments.name}, {"services", services}, {"disabled", disabled}});
  } else {
    print(arguments.name + " is " + (disabled ? "disabled" : "enabled") + " in " + names + ".\n");
  }
  return kDone;
}

}  // namespace phalanx::cli

// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/daemon_client.hpp"
#include "cli/output.hpp"

namespace phalanx::cli {

int run_reload(const Arguments& arguments) {
  const auto daemon = connect_daemon(arguments.pin_dir, arguments.socket, "reload");
  if (!daemon) {
    return complain(daemon.error());
  }
  const auto answer = daemon->ask({"POST", "/v1/reload"});
  if (!answer) {
    return complain(answer.error());
  }
  if (arguments.json) {
    print(*answer);
    return kDone;
  }
  const auto document = nlohmann::json::parse(*answer, nullptr, false);
  const bool numbered = document.is_object() && document.contains("generation");
  print("The daemon applied its configuration" +
        (numbered ? " as generation " + document["generation"].dump() : std::string()) + ".\n");
  return kDone;
}

}  // namespace phalanx::cli

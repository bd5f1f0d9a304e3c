// SPDX-License-Identifier: Apache-2.0
#include "cli/announcement.hpp"

#include <nlohmann/json.hpp>

namespace phalanx::cli {

using nlohmann::json;

Result<json> ask_announcement(const DaemonClient& daemon) {
  const auto answer = daemon.ask({"GET", "/v1/status"});
  if (!answer) {
    return Failure(answer.error());
  }
  const json status = json::parse(*answer, nullptr, false);
  const auto announcement = status.is_object() ? status.find("announcement") : status.end();
  if (announcement == status.end()) {
    return fail("ask the daemon how its routes stand: it is another version and does not say; restart it");
  }
  return *announcement;
}

}  // namespace phalanx::cli

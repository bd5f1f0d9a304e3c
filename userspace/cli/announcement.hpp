// SPDX-License-Identifier: Apache-2.0
// How the routes to the VIPs stand, which the daemon alone knows.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cli/daemon_client.hpp"

namespace phalanx::cli {

// "announcement" of the daemon's status. Fails when it does not answer, or not in that form.
Result<nlohmann::json> ask_announcement(const DaemonClient& daemon);

}  // namespace phalanx::cli

// SPDX-License-Identifier: Apache-2.0
// The guard: a process beside the daemon that withdraws the routes to the VIPs when the program is detached,
// or the daemon is dead beyond the grace. It changes nothing else, and nothing at all while the daemon lives
// and the program is attached.
#pragma once

#include <string>

#include "core/result.hpp"

namespace phalanx::daemon {

struct GuardOptions {
  std::string config_file;
  std::string pin_dir;
};

// Until SIGTERM or SIGINT, which leave everything as it is. SIGHUP reads the configuration again; one with
// errors is refused and the former one stays. What it does is said on standard error. Fails when the
// configuration has errors or no node.announce.
Result<void> guard(const GuardOptions& options);

}  // namespace phalanx::daemon

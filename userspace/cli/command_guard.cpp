// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "daemon/guard.hpp"
#include "daemon/log.hpp"

namespace phalanx::cli {

int run_guard(const Arguments& arguments) {
  daemon::log_to_stderr("phalanx-guard");
  const auto guarded = daemon::guard({.config_file = arguments.file, .pin_dir = arguments.pin_dir});
  return guarded ? kDone : complain(guarded.error());
}

}  // namespace phalanx::cli

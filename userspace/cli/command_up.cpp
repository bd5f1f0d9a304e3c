// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "adapters/config/config_file.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "daemon/offline.hpp"

namespace phalanx::cli {
namespace {

void report(const Arguments& arguments, const daemon::UpReport& outcome) {
  for (const std::string& warning : outcome.warnings) {
    warn(warning);
  }
  if (arguments.json) {
    print_json({{"generation", outcome.generation},
                {"reloaded", outcome.reloaded},
                {"backends", outcome.backends},
                {"backends_up", outcome.backends_up},
                {"warnings", outcome.warnings}});
    return;
  }
  print(std::string(outcome.reloaded ? "Applied " : "Loaded ") + arguments.file + " as generation " +
        std::to_string(outcome.generation) + ": " + std::to_string(outcome.backends_up) + " of " +
        counted(outcome.backends, "backend") + " up. No daemon runs: backends are not probed.\n");
}

}  // namespace

int run_up(const Arguments& arguments) {
  const auto parsed = adapters::read_config(arguments.file);
  if (!parsed) {
    return complain(parsed.error());
  }
  for (const adapters::Problem& problem : parsed->problems) {
    warn(adapters::to_string(problem, arguments.file));
  }
  if (!parsed->config) {
    return complain({"load " + arguments.file + ": it has errors; correct them, nothing was changed"});
  }
  const auto outcome = daemon::up({.config = *parsed->config, .pin_dir = arguments.pin_dir});
  if (!outcome) {
    return complain(outcome.error());
  }
  report(arguments, *outcome);
  if (outcome->backends > 0 && outcome->backends_up == 0) {
    return complain(
        {"no backend has a next hop: every packet to a service is dropped; bring the backends' network "
         "up and run \"phalanx up\" again"});
  }
  return kDone;
}

}  // namespace phalanx::cli

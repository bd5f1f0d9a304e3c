// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "daemon/offline.hpp"

namespace phalanx::cli {

int run_down(const Arguments& arguments) {
  if (const auto gone = daemon::down(arguments.pin_dir); !gone) {
    return complain(gone.error());
  }
  if (arguments.json) {
    print_json({{"pin_dir", arguments.pin_dir}, {"loaded", false}});
  } else {
    print("Nothing of Phalanx is left at " + arguments.pin_dir + ".\n");
  }
  return kDone;
}

}  // namespace phalanx::cli

// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/pinned_node.hpp"
#include "cli/reports.hpp"

namespace phalanx::cli {

int run_services(const Arguments& arguments) {
  const auto node = open_pinned_node(arguments.pin_dir);
  if (!node) {
    return complain(node.error());
  }
  const nlohmann::json services = adapters::services_view(node->state, node->maps);
  if (arguments.json) {
    print_json(services);
  } else {
    print(services_text(services, output_width()));
  }
  return kDone;
}

}  // namespace phalanx::cli

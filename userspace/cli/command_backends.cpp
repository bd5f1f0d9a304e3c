// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/pinned_node.hpp"
#include "cli/table.hpp"

namespace phalanx::cli {
namespace {

using nlohmann::json;

std::string endpoint_text(const json& backend) {
  const auto address = backend.at("address").get<std::string>();
  const std::string port = adapters::write_json(backend.at("port"));
  return address.find(':') != std::string::npos ? "[" + address + "]:" + port : address + ":" + port;
}

void report(const json& backends) {
  Table table({{"SERVICE", Column::Align::left, Column::Cut::middle},
               {"BACKEND", Column::Align::left, Column::Cut::middle},
               {"ADDRESS", Column::Align::left, Column::Cut::middle},
               {"STATE"},
               {"PRIMARY", Column::Align::right},
               {"BACKUP", Column::Align::right},
               {"REASON", Column::Align::left, Column::Cut::end}});
  for (const json& backend : backends) {
    const json& slots = backend.at("slots");
    table.add({backend.at("service").get<std::string>(), backend.at("name").get<std::string>(),
               endpoint_text(backend), backend.at("state").get<std::string>(),
               adapters::write_json(slots.at("primary")), adapters::write_json(slots.at("backup")),
               backend.at("reason").get<std::string>()});
  }
  print(table.text(output_width()));
}

}  // namespace

int run_backends(const Arguments& arguments) {
  const auto node = open_pinned_node(arguments.pin_dir);
  if (!node) {
    return complain(node.error());
  }
  const json backends = adapters::backends_view(node->state, node->maps);
  if (arguments.json) {
    print_json(backends);
  } else {
    report(backends);
  }
  return kDone;
}

}  // namespace phalanx::cli

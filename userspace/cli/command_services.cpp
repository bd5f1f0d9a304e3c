// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/pinned_node.hpp"
#include "cli/table.hpp"

namespace phalanx::cli {
namespace {

using nlohmann::json;

// The first VIP, and how many more there are.
std::string vips_text(const json& vips) {
  const std::string more = vips.size() > 1 ? " +" + std::to_string(vips.size() - 1) : "";
  return vips.empty() ? "" : vips.front().get<std::string>() + more;
}

std::string protocol_text(const json& protocol) {
  if (protocol.is_string()) {
    return protocol.get<std::string>();
  }
  std::string text;
  for (const json& each : protocol) {
    text += (text.empty() ? "" : ",") + each.get<std::string>();
  }
  return text;
}

void report(const json& services) {
  Table table({{"SERVICE", Column::Align::left, Column::Cut::middle},
               {"VIPS", Column::Align::left, Column::Cut::middle},
               {"PROTO"},
               {"PORT", Column::Align::right},
               {"FORWARD"},
               {"UP", Column::Align::right},
               {"DIGEST"}});
  for (const json& service : services) {
    table.add(
        {service.at("name").get<std::string>(), vips_text(service.at("vips")),
         protocol_text(service.at("protocol")), adapters::write_json(service.at("port")),
         service.at("forward").get<std::string>(),
         adapters::write_json(service.at("backends_up")) + "/" + adapters::write_json(service.at("backends")),
         service.at("digest").get<std::string>()});
  }
  print(table.text(output_width()));
}

}  // namespace

int run_services(const Arguments& arguments) {
  const auto node = open_pinned_node(arguments.pin_dir);
  if (!node) {
    return complain(node.error());
  }
  const json services = adapters::services_view(node->state, node->maps);
  if (arguments.json) {
    print_json(services);
  } else {
    report(services);
  }
  return kDone;
}

}  // namespace phalanx::cli

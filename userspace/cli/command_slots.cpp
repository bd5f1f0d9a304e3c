// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "adapters/view/names.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/pinned_node.hpp"
#include "cli/table.hpp"

namespace phalanx::cli {
namespace {

using nlohmann::json;

std::string name_text(const json& name) {
  return name.is_null() ? "-" : name.get<std::string>();
}

void report_summary(const json& view) {
  const json& slots = view.at("table");
  const auto tracked = std::count_if(slots.begin(), slots.end(),
                                     [](const json& slot) { return slot.at("tracked").get<bool>(); });
  print("service  " + view.at("service").get<std::string>() + "\n" +   //
        "slots    " + adapters::write_json(view.at("slots")) + "\n" +  //
        "seed     " + adapters::write_json(view.at("seed")) + "\n" +   //
        "digest   " + view.at("digest").get<std::string>() + "\n" +    //
        "tracked  " + std::to_string(tracked) + "\n\n");
  std::map<std::string, std::map<std::string, int>> counts;
  for (const json& slot : slots) {
    for (const char* role : {"primary", "backup"}) {
      ++counts[name_text(slot.at(role))][role];
    }
  }
  Table table({{"BACKEND", Column::Align::left, Column::Cut::middle},
               {"PRIMARY", Column::Align::right},
               {"BACKUP", Column::Align::right}});
  for (auto& [name, roles] : counts) {
    table.add({name, std::to_string(roles["primary"]), std::to_string(roles["backup"])});
  }
  print(table.text(output_width()));
}

void report_slots(const json& view) {
  Table table({{"SLOT", Column::Align::right},
               {"PRIMARY", Column::Align::left, Column::Cut::middle},
               {"BACKUP", Column::Align::left, Column::Cut::middle},
               {"PREVIOUS", Column::Align::left, Column::Cut::middle},
               {"TRACKED"}});
  std::size_t number = 0;
  for (const json& slot : view.at("table")) {
    table.add({std::to_string(number++), name_text(slot.at("primary")), name_text(slot.at("backup")),
               name_text(slot.at("previous")), slot.at("tracked").get<bool>() ? "yes" : "-"});
  }
  print("\n" + table.text(output_width()));
}

}  // namespace

int run_slots(const Arguments& arguments) {
  const auto node = open_pinned_node(arguments.pin_dir);
  if (!node) {
    return complain(node.error());
  }
  const auto service = adapters::find_service(node->state, arguments.name, "show the slots");
  if (!service) {
    return complain(service.error());
  }
  json view = adapters::slots_view(node->state, node->maps, arguments.name).value();
  if (arguments.json) {
    if (arguments.summary) {
      view.erase("table");
    }
    print_json(view);
    return kDone;
  }
  report_summary(view);
  if (!arguments.summary) {
    report_slots(view);
  }
  return kDone;
}

}  // namespace phalanx::cli

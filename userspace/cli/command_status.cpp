// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/announcement.hpp"
#include "cli/commands.hpp"
#include "cli/daemon_client.hpp"
#include "cli/output.hpp"
#include "cli/pinned_node.hpp"
#include "cli/table.hpp"

namespace phalanx::cli {
namespace {

using nlohmann::json;

std::string daemon_line(const json& daemon) {
  const bool stale = daemon.at("liveness").get<std::string>() == "stale";
  if (daemon.at("running").get<bool>()) {
    return "running, pid " + adapters::write_json(daemon.at("pid")) +
           (stale ? "; its liveness is stale: next hops are asked of the kernel's FIB" : "");
  }
  return std::string("not running: packets flow") +
         (stale ? ", next hops are asked of the kernel's FIB (the daemon's liveness is stale)" : "") +
         ", backends are not probed; start phalanxd";
}

std::string interface_line(const json& interface) {
  const auto mode = interface.at("mode").get<std::string>();
  const auto reason = interface.at("reason").get<std::string>();
  const json& program = interface.at("program");
  return interface.at("name").get<std::string>() + ", " + (mode == "none" ? "NOT ATTACHED" : mode) +
         (program.is_null() ? "" : ", program " + program.get<std::string>()) +
         (reason.empty() ? "" : ": " + reason);
}

std::string announcement_line(const json& status) {
  const json& announcement = status.at("announcement");
  const auto problem = announcement.at("problem").get<std::string>();
  return announcement.at("state").get<std::string>() + ": " +
         (problem.empty() ? announcement.at("reason").get<std::string>() : problem);
}

void report(const json& status) {
  print("node        " + status.at("node").get<std::string>() + "\n" +  //
        "version     " + status.at("version").get<std::string>() + "\n" + "generation  " +
        adapters::write_json(status.at("generation")) + "\n" + "daemon      " +
        daemon_line(status.at("daemon")) + "\n");
  std::string title = "interfaces  ";
  for (const json& interface : status.at("interfaces")) {
    print(title + interface_line(interface) + "\n");
    title = std::string(title.size(), ' ');
  }
  if (!status.at("announcement").is_null()) {
    print("routes      " + announcement_line(status) + "\n");
  }
  static constexpr const char* kHelp[][2] = {
#define PHX_X(name, label, help) {#label, help},
      PHX_COUNTERS(PHX_X)
#undef PHX_X
  };
  Table counters(
      {{"COUNTER"}, {"PACKETS", Column::Align::right}, {"MEANING", Column::Align::left, Column::Cut::end}});
  for (const auto& [label, help] : kHelp) {
    counters.add({label, adapters::write_json(status.at("counters").at(label)), help});
  }
  print("\n" + counters.text(output_width()));
}

// What pins don't say. Without a daemon, or with one that does not answer, nobody knows.
void learn_announcement(const Arguments& arguments, json& status) {
  json& announcement = status.at("announcement");
  if (announcement.is_null() || !status.at("daemon").at("running").get<bool>()) {
    return;
  }
  const DaemonClient daemon(arguments.socket, status.at("daemon").at("pid").get<long>());
  if (auto told = ask_announcement(daemon)) {
    announcement = std::move(*told);
  } else {
    announcement["reason"] = told.error().message;
  }
}

}  // namespace

int run_status(const Arguments& arguments) {
  const auto node = open_pinned_node(arguments.pin_dir);
  if (!node) {
    return complain(node.error());
  }
  json status = adapters::status_view(node->state, node->maps, status_inputs(*node));
  learn_announcement(arguments, status);
  if (arguments.json) {
    print_json(status);
  } else {
    report(status);
  }
  return kDone;
}

}  // namespace phalanx::cli

// SPDX-License-Identifier: Apache-2.0
// phalanx-agent: puts the agent's XDP program on a backend's interface, and takes it off again. No process
// needs to stay.
#include <systemd/sd-daemon.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "adapters/config/agent_config.hpp"
#include "agent/agent.hpp"
#include "agent/agent_report.hpp"
#include "agent/serve.hpp"

namespace {

using namespace phalanx;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

constexpr const char* kExamples =
    "Examples:\n"
    "  phalanx-agent up --config /etc/phalanx/agent.json    load and attach, or apply a\n"
    "                                                       changed file to what is loaded\n"
    "  phalanx-agent status --json                          how it is attached, connections,\n"
    "                                                       counters, and what is wrong\n"
    "  phalanx-agent serve --listen 10.0.1.11:9641          the same, for nodes that drain it\n"
    "  phalanx-agent down                                   detach and forget\n"
    "\n"
    "The file:\n"
    "  { \"agent\": { \"interface\": \"eth0\",\n"
    "               \"vips\": [\"203.0.113.10\"],      addresses whose tunnel packets it takes\n"
    "               \"nodes\": [\"10.0.0.0/24\"],     from whom\n"
    "               \"peers\": [\"10.0.1.0/24\"],     other backends: flows unknown here go there\n"
    "               \"namespaces\": [\"blue\"],       containers whose sockets are asked for flows\n"
    "               \"addresses\": [\"fd00:1::11\"],  its own, if not the interface's first ones\n"
    "               \"gue_port\": 6080 } }          where GUE comes to; 6080 unless told\n"
    "\n"
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage.\n";

struct Options {
  std::string config;
  std::string pin_directory = "/sys/fs/bpf/phalanx-agent";
  std::string socket;
  std::string listen;
  bool json = false;
};

int report(const Error& error) {
  std::fprintf(stderr, "phalanx-agent: %s\n", error.message.c_str());
  return kFailed;
}

int run_up(const Options& options) {
  const Result<adapters::ParsedAgentConfig> parsed = adapters::read_agent_config(options.config);
  if (!parsed) {
    return report(parsed.error());
  }
  for (const adapters::Problem& problem : parsed->problems) {
    std::fprintf(stderr, "%s\n", to_string(problem, options.config).c_str());
  }
  if (!parsed->config) {
    return kFailed;
  }
  const Result<adapters::XdpDescription> attached = agent::up(options.pin_directory, *parsed->config);
  if (!attached) {
    return report(attached.error());
  }
  std::printf("attached to %s in %s mode\n", attached->name.c_str(), attached->mode.c_str());
  if (!attached->reason.empty()) {
    std::printf("%s\n", attached->reason.c_str());
  }
  const Result<agent::Status> status = agent::status(options.pin_directory);
  if (!status) {
    return report(status.error());
  }
  for (const std::string& warning : status->warnings) {
    std::fprintf(stderr, "phalanx-agent: warning: %s\n", warning.c_str());
  }
  return kDone;
}

int run_serve(const Options& options) {
  const auto endpoint = core::parse_endpoint(options.listen);
  if (!endpoint || endpoint->port == 0) {
    std::fprintf(stderr, "phalanx-agent: --listen %s: write an address and a port, such as 10.0.1.11:9641\n",
                 options.listen.c_str());
    return kWrongUsage;
  }
  const Result<void> served = agent::serve(options.pin_directory, *endpoint, [] { sd_notify(0, "READY=1"); });
  return served ? kDone : report(served.error());
}

int run_down(const Options& options) {
  const Result<void> removed = agent::down(options.pin_directory);
  return removed ? kDone : report(removed.error());
}

int run_status(const Options& options) {
  const Result<agent::Status> status = agent::status(options.pin_directory);
  if (!status) {
    return report(status.error());
  }
  const std::string text = options.json ? agent::to_json_text(*status) : agent::to_text(*status);
  std::fputs(text.c_str(), stdout);
  return kDone;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Phalanx on a backend: takes packets for VIPs out of the tunnels of the nodes, without tunnel devices.",
      "phalanx-agent");
  app.footer(kExamples);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--pin-dir", options.pin_directory,
                 "directory on a mounted bpffs that keeps the agent loaded")
      ->capture_default_str();
  app.add_option("--socket", options.socket, "accepted as by the other binaries; the agent has no socket");

  CLI::App* up = app.add_subcommand("up", "load and attach; applies the file to what is loaded already");
  up->add_option("--config", options.config, "the configuration")->required();
  CLI::App* serve = app.add_subcommand("serve", "answer GET /v1/status with what \"status --json\" shows");
  serve->add_option("--listen", options.listen, "ADDRESS:PORT, such as 10.0.1.11:9641")->required();
  CLI::App* down = app.add_subcommand("down", "detach and forget; done when there is nothing");
  CLI::App* status = app.add_subcommand("status", "how it is attached, connections, counters, what is wrong");
  status->add_flag("--json", options.json, "as a JSON object");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUsage;
  }
  if (up->parsed()) {
    return run_up(options);
  }
  if (serve->parsed()) {
    return run_serve(options);
  }
  return down->parsed() ? run_down(options) : run_status(options);
}

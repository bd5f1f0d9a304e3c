// SPDX-License-Identifier: Apache-2.0
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>

#include "adapters/config/config_file.hpp"
#include "daemon/daemon.hpp"
#include "daemon/log.hpp"

namespace {

using phalanx::daemon::Daemon;
using phalanx::daemon::DaemonOptions;

int run(const DaemonOptions& options) {
  auto parsed = phalanx::adapters::read_config(options.config_file);
  if (!parsed) {
    spdlog::error("{}", parsed.error().message);
    return 1;
  }
  for (const auto& problem : parsed->problems) {
    spdlog::log(problem.warning ? spdlog::level::warn : spdlog::level::err, "{}",
                phalanx::adapters::to_string(problem, options.config_file));
  }
  if (!parsed->config) {
    spdlog::error("start with {}: it has errors; correct them (phalanx check {}), nothing was changed",
                  options.config_file, options.config_file);
    return 1;
  }
  auto daemon = Daemon::start(options, *parsed->config);
  if (!daemon) {
    spdlog::error("{}", daemon.error().message);
    return 1;
  }
  return (*daemon)->run();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "phalanxd: probes the backends of this node's services and keeps the packet path up to date.\n"
      "Packets flow on when it stops, is killed or is upgraded."};
  DaemonOptions options{
      .config_file = {}, .pin_dir = "/sys/fs/bpf/phalanx", .socket = "/run/phalanx/phalanx.sock"};
  app.add_option("--config", options.config_file, "the node's configuration (JSON; comments are allowed)")
      ->required()
      ->type_name("FILE");
  app.add_option("--pin-dir", options.pin_dir, "where program and maps are pinned, on a mounted bpffs")
      ->capture_default_str()
      ->type_name("DIR");
  app.add_option("--socket", options.socket, "Unix socket of the API")
      ->capture_default_str()
      ->type_name("PATH");
  app.set_version_flag("--version", std::string("phalanxd ") + PHALANX_VERSION);
  app.footer(
      "Signals: HUP reads the configuration again, TERM and INT stop the daemon.\n\n"
      "Example: phalanxd --config /etc/phalanx/phalanx.json");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  phalanx::daemon::log_to_stderr("phalanxd");
  return run(options);
}

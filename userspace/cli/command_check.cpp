// SPDX-License-Identifier: Apache-2.0
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "adapters/bpf/descriptor.hpp"
#include "adapters/config/config_file.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"

namespace phalanx::cli {
namespace {

// Of this network namespace. Whoever can't ask is told nothing about it.
std::optional<int> mtu_here(const std::string& interface) {
  const adapters::Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
  if (!socket.valid() || ::ioctl(socket.get(), SIOCGIFMTU, &request) != 0) {
    return std::nullopt;
  }
  return request.ifr_mtu;
}

void report_json(const std::string& file, const adapters::ParsedConfig& parsed) {
  nlohmann::json problems = nlohmann::json::array();
  for (const adapters::Problem& problem : parsed.problems) {
    problems.push_back({{"line", problem.line},
                        {"pointer", problem.pointer},
                        {"sentence", problem.sentence},
                        {"warning", problem.warning}});
  }
  print_json({{"file", file}, {"valid", parsed.config.has_value()}, {"problems", problems}});
}

void report(const std::string& file, const adapters::ParsedConfig& parsed) {
  for (const adapters::Problem& problem : parsed.problems) {
    print(adapters::to_string(problem, file) + "\n");
  }
  if (parsed.config) {
    std::size_t backends = 0;
    for (const core::Service& service : parsed.config->services) {
      backends += service.backends.size();
    }
    print(file + ": no errors; " + counted(parsed.config->services.size(), "service") + ", " +
          counted(backends, "backend") + "\n");
  }
}

}  // namespace

int run_check(const Arguments& arguments) {
  const auto parsed = adapters::read_config(arguments.file, mtu_here);
  if (!parsed) {
    return complain(parsed.error());
  }
  (arguments.json ? report_json : report)(arguments.file, *parsed);
  return parsed->config ? kDone : kFailed;
}

}  // namespace phalanx::cli

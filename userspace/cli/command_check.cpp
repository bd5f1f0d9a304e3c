// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "adapters/config/config_file.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"

namespace phalanx::cli {
namespace {

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
  const auto parsed = adapters::read_config(arguments.file);
  if (!parsed) {
    return complain(parsed.error());
  }
  (arguments.json ? report_json : report)(arguments.file, *parsed);
  return parsed->config ? kDone : kFailed;
}

}  // namespace phalanx::cli

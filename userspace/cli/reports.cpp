// SPDX-License-Identifier: Apache-2.0
#include "cli/reports.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "adapters/view/views.hpp"
#include "cli/table.hpp"

namespace phalanx::cli {
namespace {

using nlohmann::json;

const std::string& text(const json& row, const char* key) {
  return row.at(key).get_ref<const std::string&>();
}

std::string number(const json& row, const char* key) {
  return adapters::write_json(row.at(key));
}

std::string endpoint_text(const json& backend) {
  const auto address = backend.at("address").get<std::string>();
  const std::string port = adapters::write_json(backend.at("port"));
  return address.find(':') != std::string::npos ? "[" + address + "]:" + port : address + ":" + port;
}

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

}  // namespace

std::string backends_text(const json& backends, std::size_t width) {
  const bool drains = std::any_of(backends.begin(), backends.end(),
                                  [](const json& backend) { return text(backend, "state") == "draining"; });
  std::vector<Column> columns = {{"SERVICE", Column::Align::left, Column::Cut::middle},
                                 {"BACKEND", Column::Align::left, Column::Cut::middle},
                                 {"ADDRESS", Column::Align::left, Column::Cut::middle},
                                 {"STATE"},
                                 {"PRIMARY", Column::Align::right},
                                 {"BACKUP", Column::Align::right}};
  if (drains) {
    columns.push_back({"FLOWS", Column::Align::right});
  }
  columns.push_back({"REASON", Column::Align::left, Column::Cut::end});
  Table table(std::move(columns));
  for (const json& backend : backends) {
    const json& slots = backend.at("slots");
    std::vector<std::string> cells = {text(backend, "service"), text(backend, "name"),
                                      endpoint_text(backend),   text(backend, "state"),
                                      number(slots, "primary"), number(slots, "backup")};
    if (drains) {
      cells.push_back(number(backend, "flows"));
    }
    cells.push_back(text(backend, "reason"));
    table.add(std::move(cells));
  }
  return table.text(width);
}

std::string services_text(const json& services, std::size_t width) {
  const bool lost = std::any_of(services.begin(), services.end(),
                                [](const json& service) { return text(service, "redundancy") != "full"; });
  Table table({{"SERVICE", Column::Align::left, Column::Cut::middle},
               {"VIPS", Column::Align::left, Column::Cut::middle},
               {"PROTO"},
               {"PORT", Column::Align::right},
               {lost ? "REDUNDANCY" : "FORWARD"},
               {"UP", Column::Align::right},
               {"DIGEST"}});
  for (const json& service : services) {
    table.add({text(service, "name"), vips_text(service.at("vips")), protocol_text(service.at("protocol")),
               number(service, "port"), text(service, lost ? "redundancy" : "forward"),
               number(service, "backends_up") + "/" + number(service, "backends"), text(service, "digest")});
  }
  return table.text(width);
}

}  // namespace phalanx::cli

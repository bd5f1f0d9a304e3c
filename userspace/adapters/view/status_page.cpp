// SPDX-License-Identifier: Apache-2.0
#include "adapters/view/status_page.hpp"

#include <nlohmann/json.hpp>
#include <vector>

namespace phalanx::adapters {
namespace {

using nlohmann::json;

constexpr const char* kHead =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"5\">"
    "<style>body{font:15px/1.4 sans-serif;margin:2em;color:#222}table{border-collapse:collapse;margin:.5em 0 "
    "2em}th,td{text-align:left;padding:.2em .9em .2em 0;border-bottom:1px solid #ddd}.n{text-align:right}"
    ".down{color:#b00020;font-weight:bold}.disabled,.draining,.unknown{color:#8a6d00}</style>\n";

std::string escape(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string text_of(const json& value) {
  if (value.is_null()) {
    return "";
  }
  if (value.is_array()) {
    std::string joined;
    for (const json& element : value) {
      joined += (joined.empty() ? "" : ", ") + text_of(element);
    }
    return joined;
  }
  return value.is_string() ? value.get<std::string>() : write_json(value);
}

struct Column {
  const char* title;
  const char* pointer;  // RFC 6901, into a row
};

std::string table(const std::vector<Column>& columns, const json& rows) {
  std::string html = "<table><tr>";
  for (const Column& column : columns) {
    html += std::string("<th>") + column.title + "</th>";
  }
  html += "</tr>\n";
  for (const json& row : rows) {
    html += "<tr>";
    for (const Column& column : columns) {
      const json& value = row.at(json::json_pointer(column.pointer));
      const std::string text = escape(text_of(value));
      const bool is_state = std::string(column.pointer) == "/state";
      const std::string style = is_state ? text : value.is_number() ? "n" : "";
      html += (style.empty() ? "<td>" : "<td class=\"" + style + "\">") + text + "</td>";
    }
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

}  // namespace

std::string status_page(const core::AppliedState& state, const ports::DataPlaneView& data,
                        const StatusInputs& inputs) {
  const json status = status_view(state, data, inputs);
  const std::string node = escape(state.config.node.name);
  std::string html = std::string(kHead) + "<title>Phalanx on " + node +
                     "</title></head><body>\n<h1>Phalanx on " + node + "</h1>\n<p>Version " +
                     escape(inputs.version) + ", generation " + std::to_string(state.generation) +
                     ". <a href=\"/metrics\">Metrics</a></p>\n";
  html += "<h2>Interfaces</h2>\n" +
          table({{"Name", "/name"}, {"Mode", "/mode"}, {"Remark", "/reason"}}, status.at("interfaces"));
  html += "<h2>Services</h2>\n" + table({{"Name", "/name"},
                                         {"VIPs", "/vips"},
                                         {"Protocol", "/protocol"},
                                         {"Port", "/port"},
                                         {"Up", "/backends_up"},
                                         {"Backends", "/backends"},
                                         {"Redundancy", "/redundancy"},
                                         {"Slots without backup", "/slots_without_backup"},
                                         {"Packets", "/packets"},
                                         {"Digest", "/digest"}},
                                        services_view(state, data));
  html += "<h2>Backends</h2>\n" + table({{"Service", "/service"},
                                         {"Name", "/name"},
                                         {"Address", "/address"},
                                         {"Port", "/port"},
                                         {"Zone", "/zone"},
                                         {"State", "/state"},
                                         {"Since", "/since"},
                                         {"Reason", "/reason"},
                                         {"Primary", "/slots/primary"},
                                         {"Backup", "/slots/backup"},
                                         {"Override", "/override"},
                                         {"Flows", "/flows"},
                                         {"Packets", "/packets"}},
                                        backends_view(state, data));
  return html + "</body></html>\n";
}

}  // namespace phalanx::adapters

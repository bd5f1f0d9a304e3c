// SPDX-License-Identifier: Apache-2.0
#include "agent/agent_report.hpp"

#include <fmt/format.h>
#include <phalanx.h>

#include <array>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

namespace phalanx::agent {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kIndent = 12;

constexpr std::array<std::string_view, PHX_AGENT_COUNTER_COUNT> kLabels = {
#define PHX_X(name, label, help) #label,
    PHX_AGENT_COUNTERS(PHX_X)
#undef PHX_X
};

// `words` under a heading, wrapped.
std::string paragraph(std::string_view heading, const std::vector<std::string>& words) {
  std::string text = fmt::format("{:<{}}", heading, kIndent);
  std::size_t column = kIndent;
  for (const std::string& word : words) {
    if (column > kIndent && column + word.size() > kColumns) {
      text.pop_back();
      text += fmt::format("\n{:{}}", "", kIndent);
      column = kIndent;
    }
    text += word + ' ';
    column += word.size() + 1;
  }
  text.back() = '\n';
  return text;
}

template <typename Value>
std::vector<std::string> texts(const std::vector<Value>& values) {
  std::vector<std::string> list;
  for (const Value& value : values) {
    list.push_back(to_string(value));
  }
  return list;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream sentence(text);
  return {std::istream_iterator<std::string>(sentence), {}};
}

std::string sentence_of(const adapters::XdpDescription& interface) {
  return fmt::format("{}, {}{}{}", interface.name,
                     interface.mode == "none" ? "not attached" : interface.mode + " mode",
                     interface.reason.empty() ? "" : ": ", interface.reason);
}

}  // namespace

std::string to_text(const Status& status) {
  std::string text;
  for (const adapters::XdpDescription& interface : status.interfaces) {
    text += paragraph("interface", words_of(sentence_of(interface)));
  }
  if (status.interfaces.empty()) {
    text += paragraph("interface", {"none"});
  }
  text += paragraph("VIPs", texts(status.vips));
  text += paragraph("nodes", texts(status.nodes));
  text += paragraph("peers", status.peers.empty() ? std::vector<std::string>{"none"} : texts(status.peers));
  text += status.connections.empty() ? paragraph("connections", {"none"}) : "";
  for (const auto& [local, count] : status.connections) {
    text += paragraph("connections", {fmt::format("{} to {}", count, to_string(local))});
  }
  for (const std::string& warning : status.warnings) {
    text += paragraph("warning", words_of(warning));
  }
  text += "counters\n";
  for (std::size_t counter = 0; counter < kLabels.size(); ++counter) {
    text += fmt::format("  {:<24}{:>20}\n", kLabels[counter], status.counters[counter]);
  }
  return text;
}

std::string to_json_text(const Status& status) {
  nlohmann::ordered_json json = {{"interfaces", nlohmann::ordered_json::array()},
                                 {"vips", texts(status.vips)},
                                 {"nodes", texts(status.nodes)},
                                 {"peers", texts(status.peers)},
                                 {"counters", nlohmann::ordered_json::object()}};
  for (const adapters::XdpDescription& interface : status.interfaces) {
    json["interfaces"].push_back({{"name", interface.name},
                                  {"mode", interface.mode},
                                  {"attach", interface.attach},
                                  {"reason", interface.reason}});
  }
  for (std::size_t counter = 0; counter < kLabels.size(); ++counter) {
    json["counters"][std::string(kLabels[counter])] = status.counters[counter];
  }
  json["connections"] = nlohmann::ordered_json::array();
  for (const auto& [local, count] : status.connections) {
    json["connections"].push_back(
        {{"vip", to_string(local.address)}, {"port", local.port}, {"established", count}});
  }
  json["warnings"] = status.warnings;
  return json.dump(2) + '\n';
}

}  // namespace phalanx::agent

// SPDX-License-Identifier: Apache-2.0
// The configuration of the design's example, and what is wrong with it after a change.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "adapters/config/config_file.hpp"

namespace phalanx::adapters {

using nlohmann::json;
using std::chrono::milliseconds;

inline constexpr const char* kExample = R"({
  // the example of the design
  "node": { "name": "edge-a", "interfaces": ["eth0"], "tunnel_source": ["10.0.0.5", "fd00::5"], "http": "127.0.0.1:9640" },
  "checks": { "web": { "type": "http", "path": "/healthz", "interval": "100ms", "timeout": "80ms" } },
  "services": [
    { "name": "web", "vips": ["203.0.113.10", "2001:db8::10"], "protocol": "tcp", "port": 80, "forward": "ipip", "check": "web",
      "backends": [ { "name": "web-1", "address": "10.0.1.11", "zone": "rack-1" },
                    { "name": "web-2", "address": "10.0.2.12", "zone": "rack-2", "weight": 200 } ] }
  ]
})";

inline json example() {
  return json::parse(kExample, nullptr, true, true);
}

// One line a problem, as `phalanx check` prints it.
inline std::string judge(std::string_view text) {
  std::string lines;
  for (const Problem& problem : parse_config(text).problems) {
    lines += to_string(problem, "f") + "\n";
  }
  return lines;
}

// What is wrong with the example after `patch` (RFC 7396) was applied to it.
inline std::string judge_patched(json::json_pointer place, const json& patch) {
  json document = example();
  document[place].merge_patch(patch);
  return judge(document.dump());
}

inline std::string judge_service(const json& patch) {
  return judge_patched("/services/0"_json_pointer, patch);
}
inline std::string judge_backend(const json& patch) {
  return judge_patched("/services/0/backends/1"_json_pointer, patch);
}
inline std::string judge_check(const json& patch) {
  return judge_patched("/checks/web"_json_pointer, patch);
}
inline std::string judge_node(const json& patch) {
  return judge_patched("/node"_json_pointer, patch);
}

inline core::Address address(const char* text) {
  return core::parse_address(text).value();
}

inline json backends(int count) {
  json list = json::array();
  for (int i = 0; i < count; ++i) {
    list.push_back({{"name", "b" + std::to_string(i)},
                    {"address", "10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1)}});
  }
  return list;
}

}  // namespace phalanx::adapters

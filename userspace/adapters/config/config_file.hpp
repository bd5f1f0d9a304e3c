// SPDX-License-Identifier: Apache-2.0
// The node's configuration: text in, core::Config or every problem out.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/config/problem.hpp"
#include "core/config.hpp"
#include "core/result.hpp"

namespace phalanx::adapters {

struct ParsedConfig {
  std::optional<core::Config> config;  // present where no problem is an error
  std::vector<Problem> problems;       // errors and warnings in the order of lines
};

// The MTU of an interface, in bytes; nothing where there is none of that name.
using InterfaceMtu = std::function<std::optional<int>(const std::string& interface)>;

// Reports every problem at once, but where the text is no JSON only the first. Never fails otherwise: any
// bytes are judged. mtu_of: of the host for which it is judged; without it nothing is said about room for
// outer headers.
ParsedConfig parse_config(std::string_view text, const InterfaceMtu& mtu_of = {});

// Fails where the file can't be read or is larger than kMaxConfigBytes.
Result<ParsedConfig> read_config(const std::string& path, const InterfaceMtu& mtu_of = {});

inline constexpr std::size_t kMaxConfigBytes = std::size_t{64} << 20;

// The whole of a file. Fails as read_config() does.
Result<std::string> read_config_text(const std::string& path);

// All keys written out, also those with default values. parse_config(to_json(c).dump()) gives c for every
// config that parse_config gave. Checks are those that services use.
nlohmann::json to_json(const core::Config& config);

// One check, as the member of "checks" that names it. parse_check(to_json(c).dump()) gives c.
nlohmann::json to_json(const core::Check& check);

// Fails with the first problem, where the text is no check.
Result<core::Check> parse_check(std::string_view text);

}  // namespace phalanx::adapters

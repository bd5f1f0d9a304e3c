// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/result.hpp"

namespace phalanx::cli {

void print(const std::string& text);
// One document, on one line.
void print_json(const nlohmann::json& document);
// "phalanx: SENTENCE" on standard error. Returns the exit code of a failure.
int complain(const Error& error);
// The same for what does not fail the command.
void warn(const std::string& sentence);

// Columns that tables may fill: those of the terminal, at least 80; 80 where there is none.
std::size_t output_width();

// "1 backend", "2 backends".
std::string counted(std::size_t number, const std::string& noun);

}  // namespace phalanx::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/output.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "adapters/view/views.hpp"
#include "cli/arguments.hpp"

namespace phalanx::cli {

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_json(const nlohmann::json& document) {
  print(adapters::write_json(document) + "\n");
}

int complain(const Error& error) {
  warn(error.message);
  return kFailed;
}

void warn(const std::string& sentence) {
  std::fflush(stdout);
  std::fprintf(stderr, "phalanx: %s\n", sentence.c_str());
}

std::size_t output_width() {
  constexpr std::size_t kNarrowest = 80;
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
    return kNarrowest;
  }
  return std::max<std::size_t>(kNarrowest, size.ws_col);
}

std::string counted(std::size_t number, const std::string& noun) {
  return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

}  // namespace phalanx::cli

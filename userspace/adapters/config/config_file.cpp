// SPDX-License-Identifier: Apache-2.0
#include "adapters/config/config_file.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "adapters/config/decode.hpp"
#include "adapters/config/decode_check.hpp"
#include "adapters/config/document.hpp"
#include "adapters/config/rules.hpp"

namespace phalanx::adapters {

ParsedConfig parse_config(std::string_view text, const InterfaceMtu& mtu_of) {
  Problems problems;
  ParsedConfig parsed;
  if (const auto root = read_document(text, problems)) {
    parsed.config = decode_config(*root, problems);
    check_rules(*parsed.config, *root, mtu_of, problems);
  }
  if (problems.any_errors()) {
    parsed.config.reset();
  }
  parsed.problems = problems.take();
  return parsed;
}

Result<core::Check> parse_check(std::string_view text) {
  Problems problems;
  core::Check check;
  if (const auto root = read_document(text, problems)) {
    check = decode_check({&*root, ""}, problems);
  }
  if (problems.any_errors()) {
    return fail("read a check: " + problems.take().front().sentence);
  }
  return check;
}

Result<std::string> read_config_text(const std::string& path) {
  const auto refuse = [&](const std::string& why) {
    return fail("read the configuration " + path + ": " + why);
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) {
    return refuse(std::string(std::strerror(errno)) + "; name a file that this user may read");
  }
  std::string text;
  std::array<char, 65536> buffer{};
  std::size_t count = 0;
  while ((count = std::fread(buffer.data(), 1, buffer.size(), file.get())) > 0) {
    text.append(buffer.data(), count);
    if (text.size() > kMaxConfigBytes) {
      return refuse("it is larger than 64 MiB; name a configuration");
    }
  }
  if (std::ferror(file.get()) != 0) {
    return refuse(std::string(std::strerror(errno)) + "; name a readable file");
  }
  return text;
}

Result<ParsedConfig> read_config(const std::string& path, const InterfaceMtu& mtu_of) {
  auto text = read_config_text(path);
  if (!text) {
    return fail(std::move(text.error().message));
  }
  return parse_config(*text, mtu_of);
}

}  // namespace phalanx::adapters

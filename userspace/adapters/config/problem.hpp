// SPDX-License-Identifier: Apache-2.0
// What is wrong with a configuration, and where.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace phalanx::adapters {

struct Problem {
  int line = 1;         // 1-based, of the key or value concerned
  std::string pointer;  // RFC 6901; empty: the whole document
  std::string sentence;
  bool warning = false;  // warnings do not refuse the configuration

  friend bool operator==(const Problem&, const Problem&) = default;
};

// "FILE:LINE: POINTER: sentence", with "warning: " before the sentence of a warning. The whole document's
// pointer is shown as "/".
std::string to_string(const Problem& problem, std::string_view file);

// Collects the problems of one document.
class Problems {
 public:
  void error(int line, std::string pointer, std::string sentence);
  void warning(int line, std::string pointer, std::string sentence);

  bool any_errors() const;
  // Errors at a place that begins with `pointer`.
  bool any_errors_under(std::string_view pointer) const;
  // In the order of lines.
  std::vector<Problem> take();

 private:
  std::vector<Problem> list_;
};

// `text` as JSON escapes it, in ASCII and cut after `longest` bytes: it can neither end a line nor steer a
// terminal.
std::string printable(std::string_view text, std::size_t longest);

// The same in double quotes, cut after 80 bytes.
std::string quoted(std::string_view text);

}  // namespace phalanx::adapters

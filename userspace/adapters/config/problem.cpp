// SPDX-License-Identifier: Apache-2.0
#include "adapters/config/problem.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace phalanx::adapters {

std::string to_string(const Problem& problem, std::string_view file) {
  std::string text(file);
  text += ":" + std::to_string(problem.line) + ": ";
  text += problem.pointer.empty() ? "/" : printable(problem.pointer, 400);
  text += ": ";
  if (problem.warning) {
    text += "warning: ";
  }
  return text + problem.sentence;
}

void Problems::error(int line, std::string pointer, std::string sentence) {
  list_.push_back({line, std::move(pointer), std::move(sentence), false});
}

void Problems::warning(int line, std::string pointer, std::string sentence) {
  list_.push_back({line, std::move(pointer), std::move(sentence), true});
}

bool Problems::any_errors() const {
  return any_errors_under("");
}

bool Problems::any_errors_under(std::string_view pointer) const {
  return std::any_of(list_.begin(), list_.end(), [&](const Problem& problem) {
    return !problem.warning && problem.pointer.starts_with(pointer);
  });
}

std::vector<Problem> Problems::take() {
  std::stable_sort(list_.begin(), list_.end(),
                   [](const Problem& left, const Problem& right) { return left.line < right.line; });
  return std::exchange(list_, {});
}

std::string printable(std::string_view text, std::size_t longest) {
  std::string shown(text.substr(0, longest));
  if (shown.size() < text.size()) {
    shown += "...";
  }
  // ASCII only: what is cut inside a UTF-8 sequence is replaced, what is not ASCII is escaped.
  shown = nlohmann::json(shown).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return shown.substr(1, shown.size() - 2);
}

std::string quoted(std::string_view text) {
  return '"' + printable(text, 80) + '"';
}

}  // namespace phalanx::adapters

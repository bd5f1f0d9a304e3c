// SPDX-License-Identifier: Apache-2.0
// How rules say what they found: at a place of the document, with its line.
#pragma once

#include <string>
#include <utility>

#include "adapters/config/document.hpp"
#include "adapters/config/problem.hpp"
#include "core/config.hpp"

namespace phalanx::adapters {

inline constexpr core::Address kUnread{};  // what decode leaves of an address it could not read

inline std::string service_pointer(std::size_t service) {
  return "/services/" + std::to_string(service);
}

inline std::string backend_pointer(std::size_t service, std::size_t backend) {
  return service_pointer(service) + "/backends/" + std::to_string(backend);
}

class RuleReport {
 public:
  RuleReport(const DocumentNode& root, Problems& problems) : root_(root), problems_(problems) {}

  void error(const std::string& pointer, std::string sentence) {
    problems_.error(line_of(root_, pointer), pointer, std::move(sentence));
  }
  void warning(const std::string& pointer, std::string sentence) {
    problems_.warning(line_of(root_, pointer), pointer, std::move(sentence));
  }
  std::string line_text(const std::string& pointer) const {
    return "line " + std::to_string(line_of(root_, pointer));
  }
  bool any_errors_under(std::string_view pointer) const { return problems_.any_errors_under(pointer); }

 private:
  const DocumentNode& root_;
  Problems& problems_;
};

}  // namespace phalanx::adapters

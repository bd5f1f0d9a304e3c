// SPDX-License-Identifier: Apache-2.0
#include "cli/membership_names.hpp"

namespace phalanx::cli {

std::vector<std::string> service_names(const std::vector<adapters::Membership>& meant) {
  std::vector<std::string> names;
  for (const adapters::Membership& membership : meant) {
    names.push_back(membership.service->name);
  }
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace phalanx::cli

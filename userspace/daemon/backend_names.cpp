// SPDX-License-Identifier: Apache-2.0
#include "daemon/backend_names.hpp"

#include <algorithm>
#include <set>

namespace phalanx::daemon {

namespace {

constexpr std::size_t kNamesListed = 10;

std::string list(const std::set<std::string>& names) {
  std::string text;
  std::size_t listed = 0;
  for (const std::string& name : names) {
    if (listed++ == kNamesListed) {
      return text + ", ... (" + std::to_string(names.size()) + " in all)";
    }
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace

Result<std::vector<NamedBackend>> find_backends(const core::Config& config, const std::string& backend,
                                                const std::optional<std::string>& service) {
  std::vector<NamedBackend> found;
  std::set<std::string> services;
  std::set<std::string> backends;
  for (const core::Service& candidate : config.services) {
    services.insert(candidate.name);
    if (service && candidate.name != *service) {
      continue;
    }
    for (const core::Backend& member : candidate.backends) {
      backends.insert(member.name);
      if (member.name == backend) {
        found.push_back({candidate.name, member.endpoint});
      }
    }
  }
  if (!found.empty()) {
    return found;
  }
  if (service && !services.contains(*service)) {
    return fail("find service " + *service + ": there is none of that name; there are " + list(services));
  }
  return fail("find backend " + backend + (service ? " of service " + *service : "") +
              ": there is none of that name; there are " + list(backends));
}

}  // namespace phalanx::daemon

// SPDX-License-Identifier: Apache-2.0
#include "adapters/view/names.hpp"

#include "adapters/config/fields.hpp"

namespace phalanx::adapters {
namespace {

Failure unknown(const std::string& attempt, const std::string& what, const std::string& name,
                const std::vector<std::string>& known) {
  const std::string sentence = attempt + ": no " + what + " is called " + quoted(name);
  if (known.empty()) {
    return fail(sentence + "; there is none at all");
  }
  return fail(sentence + "; the nearest is " + quoted(nearest(name, known)));
}

}  // namespace

Result<const core::Service*> find_service(const core::AppliedState& state, const std::string& name,
                                          const std::string& attempt) {
  std::vector<std::string> known;
  for (const core::Service& service : state.config.services) {
    if (service.name == name) {
      return &service;
    }
    known.push_back(service.name);
  }
  return unknown(attempt, "service", name, known);
}

Result<std::vector<Membership>> find_backend(const core::AppliedState& state, const std::string& name,
                                             const std::optional<std::string>& service,
                                             const std::string& attempt) {
  if (service) {
    if (const auto found = find_service(state, *service, attempt); !found) {
      return Failure(found.error());
    }
  }
  std::vector<Membership> found;
  std::vector<std::string> known;
  for (const core::Service& candidate : state.config.services) {
    if (service && candidate.name != *service) {
      continue;
    }
    for (const core::Backend& backend : candidate.backends) {
      known.push_back(backend.name);
      if (backend.name == name) {
        found.push_back({&candidate, &backend});
      }
    }
  }
  if (found.empty()) {
    return unknown(attempt, service ? "backend of " + quoted(*service) : "backend", name, known);
  }
  return found;
}

}  // namespace phalanx::adapters

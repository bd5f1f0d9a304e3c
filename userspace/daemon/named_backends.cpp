// SPDX-License-Identifier: Apache-2.0
#include "daemon/named_backends.hpp"

#include "adapters/view/names.hpp"

namespace phalanx::daemon {

Result<std::vector<NamedBackend>> named_backends(const core::AppliedState& state, const std::string& backend,
                                                 const std::optional<std::string>& service) {
  const auto found = adapters::find_backend(state, backend, service, "find the backend");
  if (!found) {
    return Failure(found.error());
  }
  std::vector<NamedBackend> named;
  for (const adapters::Membership& membership : *found) {
    named.push_back({membership.service->name, membership.backend->endpoint});
  }
  return named;
}

}  // namespace phalanx::daemon

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/applied_state.hpp"
#include "core/result.hpp"

namespace phalanx::daemon {

struct NamedBackend {
  std::string service;
  core::Endpoint endpoint;
};

// The backends that an operator means, as values that outlive the state: of `service`, or of every service
// that has one of that name. Fails like adapters::find_backend().
Result<std::vector<NamedBackend>> named_backends(const core::AppliedState& state, const std::string& backend,
                                                 const std::optional<std::string>& service);

}  // namespace phalanx::daemon

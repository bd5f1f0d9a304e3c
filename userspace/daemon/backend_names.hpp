// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/result.hpp"

namespace phalanx::daemon {

struct NamedBackend {
  std::string service;
  core::Endpoint endpoint;
};

// The backends that an operator means: of `service`, or of every service that has one of that name. Fails,
// naming those that there are, when none is meant.
Result<std::vector<NamedBackend>> find_backends(const core::Config& config, const std::string& backend,
                                                const std::optional<std::string>& service);

}  // namespace phalanx::daemon

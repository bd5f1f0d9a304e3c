// SPDX-License-Identifier: Apache-2.0
// Finding what an operator names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/applied_state.hpp"
#include "core/result.hpp"

namespace phalanx::adapters {

// `attempt` begins the sentence of a failure: "disable the backend". The pointers are into `state`.
// Fails, with the nearest name that there is, when no service is called that.
Result<const core::Service*> find_service(const core::AppliedState& state, const std::string& name,
                                          const std::string& attempt);

struct Membership {
  const core::Service* service = nullptr;
  const core::Backend* backend = nullptr;
};

// Every membership of a backend of that name, in all services or in the one given; at least one. Fails as
// above.
Result<std::vector<Membership>> find_backend(const core::AppliedState& state, const std::string& name,
                                             const std::optional<std::string>& service,
                                             const std::string& attempt);

}  // namespace phalanx::adapters

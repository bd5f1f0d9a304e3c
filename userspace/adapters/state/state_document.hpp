// SPDX-License-Identifier: Apache-2.0
// The applied state as a JSON document: what the pinned map `state` holds.
#pragma once

#include <string>
#include <string_view>

#include "core/applied_state.hpp"
#include "core/result.hpp"

namespace phalanx::adapters {

std::string write_state(const core::AppliedState& state);

// Fails with a sentence that says what is wrong when the document is not one that write_state() made.
Result<core::AppliedState> read_state(std::string_view document);

}  // namespace phalanx::adapters

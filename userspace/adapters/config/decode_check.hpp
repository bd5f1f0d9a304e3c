// SPDX-License-Identifier: Apache-2.0
// One check, wherever it is written.
#pragma once

#include "adapters/config/fields.hpp"
#include "adapters/config/problem.hpp"
#include "core/config.hpp"

namespace phalanx::adapters {

// Where problems has errors, the fields concerned keep their defaults.
core::Check decode_check(const Field& field, Problems& problems);

}  // namespace phalanx::adapters

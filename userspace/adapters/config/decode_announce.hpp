// SPDX-License-Identifier: Apache-2.0
// Which routes of the local routing daemon a node enables and disables.
#pragma once

#include "adapters/config/fields.hpp"
#include "adapters/config/problem.hpp"
#include "core/config.hpp"

namespace phalanx::adapters {

// Where problems has errors, the fields concerned keep their defaults.
core::AnnounceSettings decode_announce(const Field& field, Problems& problems);

}  // namespace phalanx::adapters

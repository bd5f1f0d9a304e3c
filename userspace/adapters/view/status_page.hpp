// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "adapters/view/views.hpp"
#include "core/applied_state.hpp"
#include "ports/data_plane.hpp"

namespace phalanx::adapters {

// One HTML page for people, without scripts and without anything to fetch: the node, its interfaces, its
// services and their backends, as they are now.
std::string status_page(const core::AppliedState& state, const ports::DataPlaneView& data,
                        const StatusInputs& inputs);

}  // namespace phalanx::adapters

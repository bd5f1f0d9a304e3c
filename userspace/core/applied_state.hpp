// SPDX-License-Identifier: Apache-2.0
// What is in force: the configuration, the rows it was given and the operator's overrides. Pinned beside the
// maps (adapters/state), so that a new daemon adopts it and the CLI reads names from it, never from a file
// that may have changed since.
#pragma once

#include <cstdint>

#include "core/config.hpp"
#include "core/layout.hpp"
#include "core/override.hpp"

namespace phalanx::core {

struct AppliedState {
  Config config;
  Layout layout{Limits{}};
  Overrides overrides;
  bool node_drained = false;     // the operator's word about the whole node: its routes are withdrawn
  std::uint64_t generation = 0;  // counts applied changes of configuration; 1 is the first
};

}  // namespace phalanx::core

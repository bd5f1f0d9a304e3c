// SPDX-License-Identifier: Apache-2.0
// What must hold between the parts of a configuration.
#pragma once

#include "adapters/config/config_file.hpp"
#include "adapters/config/document.hpp"
#include "adapters/config/problem.hpp"
#include "core/config.hpp"

namespace phalanx::adapters {

// config: as decode_config() gave it for root; what it could not read is not judged again. mtu_of: may be
// empty.
void check_rules(const core::Config& config, const DocumentNode& root, const InterfaceMtu& mtu_of,
                 Problems& problems);

}  // namespace phalanx::adapters

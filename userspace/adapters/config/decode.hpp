// SPDX-License-Identifier: Apache-2.0
// The document's fields as core's values, each judged by itself; rules.hpp judges them together.
#pragma once

#include <cstdint>
#include <string_view>

#include "adapters/config/document.hpp"
#include "adapters/config/fields.hpp"
#include "adapters/config/problem.hpp"
#include "core/config.hpp"

namespace phalanx::adapters {

// As much of the configuration as could be read. Where problems has errors, the fields concerned keep their
// defaults (a name "", an address 0.0.0.0, a port 0), and every list is as long as the document's.
core::Config decode_config(const DocumentNode& root, Problems& problems);

// Shared with the agent's configuration: node.xdp_mode.
std::optional<core::XdpMode> read_xdp_mode(const MaybeField& field, Problems& problems);

// The seed of a service that names none: FNV-1a (64 bit) of its name, finished with splitmix64's mixer so
// that names that differ in their last letter differ in every bit.
std::uint64_t default_seed(std::string_view service_name);

}  // namespace phalanx::adapters

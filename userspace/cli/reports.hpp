// SPDX-License-Identifier: Apache-2.0
// Views as tables for people.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace phalanx::cli {

// backends: of backends_view(). FLOWS is shown while a backend drains.
std::string backends_text(const nlohmann::json& backends, std::size_t width);

// services: of services_view(). REDUNDANCY takes the place of FORWARD while a service has lost some.
std::string services_text(const nlohmann::json& services, std::size_t width);

}  // namespace phalanx::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "adapters/view/names.hpp"

namespace phalanx::cli {

// Of the services in which a backend is meant.
std::vector<std::string> service_names(const std::vector<adapters::Membership>& meant);

// "web, dns".
std::string joined(const std::vector<std::string>& names);

}  // namespace phalanx::cli

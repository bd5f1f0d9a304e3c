// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "agent/agent.hpp"

namespace phalanx::agent {

// For people, at most 80 columns wide but where one word is wider. Ends with a line's end.
std::string to_text(const Status& status);

// {"interfaces": [{name, mode, attach, reason}], "vips": [], "nodes": [], "peers": [],
// "counters": {label: count}, "connections": [{vip, port, established}], "warnings": []}
std::string to_json_text(const Status& status);

}  // namespace phalanx::agent

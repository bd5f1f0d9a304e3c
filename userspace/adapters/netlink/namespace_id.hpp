// SPDX-License-Identifier: Apache-2.0
// By which number the kernel knows another network namespace, as BPF's look-ups of sockets want it.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.hpp"

namespace phalanx::adapters {

// name: as "ip netns" has it, or the path of a namespace, such as /proc/PID/ns/net. Returns its id in this
// process's network namespace (NETNSA_NSID), which is given one where it has none, and keeps it as long as it
// lives. Fails where there is no such namespace, or a privilege is missing.
Result<std::uint32_t> namespace_id(const std::string& name);

}  // namespace phalanx::adapters

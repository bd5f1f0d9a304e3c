// SPDX-License-Identifier: Apache-2.0
// By which number the kernel knows another network namespace, as BPF's look-ups of sockets want it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/result.hpp"

namespace phalanx::adapters {

// name: as "ip netns" has it, or the path of a namespace, such as /proc/PID/ns/net. Returns its id in this
// process's network namespace (NETNSA_NSID), which is given one where it has none, and keeps it as long as it
// lives. Fails where there is no such namespace, or a privilege is missing.
Result<std::uint32_t> namespace_id(const std::string& name);

// Runs `act` in a thread of its own that is in that namespace, and returns when it is over. Fails, with act
// not run, as namespace_id() does.
Result<void> in_namespace(const std::string& name, const std::function<void()>& act);

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
// Why the kernel would not attach a program to an interface, as a sentence. bpf_link_create() gives an errno
// and nothing else, so the rest is found by asking.
#pragma once

#include <cstdint>
#include <string>

namespace phalanx::adapters {

// Names the interfaces that there are.
std::string no_such_interface(const std::string& interface);

// Whether the driver is why native mode failed, so that generic mode may do.
bool refused_by_driver(int error);

// error: the errno of bpf_link_create().
std::string attach_refusal(const std::string& interface, std::uint32_t ifindex, bool native, int error);

}  // namespace phalanx::adapters

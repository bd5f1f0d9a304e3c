// SPDX-License-Identifier: Apache-2.0
// TCP connections of the network namespace that the calling thread is in (linux/inet_diag.h).
#pragma once

#include <functional>

#include "core/address.hpp"
#include "core/result.hpp"

namespace phalanx::adapters {

// Calls on_connection with the local end of each connection that a process here still has: established, or
// half closed by its peer. IPv4 connections of IPv6 sockets count as what they are. Fails where the kernel
// does not tell of its sockets.
Result<void> each_tcp_connection(const std::function<void(const core::Endpoint&)>& on_connection);

}  // namespace phalanx::adapters

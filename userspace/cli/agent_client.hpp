// SPDX-License-Identifier: Apache-2.0
// Asks a backend's agent what lives there (`phalanx-agent serve`).
#pragma once

#include <cstdint>
#include <string>

#include "core/config.hpp"
#include "core/result.hpp"

namespace phalanx::cli {

// TCP connections to the service's VIPs and port that the answer of an agent (GET /v1/status) counts. Fails
// when it is no such answer.
Result<std::uint64_t> connections_in(const std::string& answer, const core::Service& service);

// The same, asked of the agent at `agent`, which has a second. Fails with a sentence when it does not answer.
Result<std::uint64_t> living_connections(const core::Endpoint& agent, const core::Service& service);

}  // namespace phalanx::cli

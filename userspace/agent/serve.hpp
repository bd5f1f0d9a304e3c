// SPDX-License-Identifier: Apache-2.0
// What the agent knows, for whoever asks over HTTP: GET /v1/status.
#pragma once

#include <string>

#include "core/address.hpp"
#include "core/result.hpp"

namespace phalanx::agent {

// Answers at `endpoint` until SIGTERM or SIGINT, each request with what status() says then, as to_json_text()
// writes it; with 503 and a sentence while nothing is loaded. Nothing here changes anything. Calls `ready`
// once it answers. Fails with a sentence when the port is in use or the address is not this host's.
Result<void> serve(const std::string& pin_directory, const core::Endpoint& endpoint, void (*ready)());

}  // namespace phalanx::agent

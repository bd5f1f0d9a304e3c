// SPDX-License-Identifier: Apache-2.0
// Withdraws the routes to the VIPs in one call, for commands that are about to detach.
#pragma once

#include "core/config.hpp"
#include "core/result.hpp"

namespace phalanx::daemon {

// Blocks until the routing daemon said that the routes are withdrawn, at most 5 s, and then for
// settings.withdraw_wait. No routing daemon at all is fine: then there are no routes of it. Fails with its
// sentence when it does not do it.
Result<void> withdraw(const core::AnnounceSettings& settings);

}  // namespace phalanx::daemon

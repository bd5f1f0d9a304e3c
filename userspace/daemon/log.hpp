// SPDX-License-Identifier: Apache-2.0
// The log of processes that run for long.
#pragma once

#include <string>

namespace phalanx::daemon {

// Lines on standard error, with the time in front unless systemd's journal, which stamps each line itself,
// reads them. name: of the program.
void log_to_stderr(const std::string& name);

}  // namespace phalanx::daemon

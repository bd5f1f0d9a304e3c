// SPDX-License-Identifier: Apache-2.0
// What the CLI does to a pin directory by itself, while no daemon runs. Each function takes the lock on the
// directory for the time of the call, and fails naming the daemon's pid where one holds it. None of them
// leaves a half-applied state behind.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/event.hpp"
#include "core/result.hpp"

namespace phalanx::daemon {

struct UpOptions {
  core::Config config;
  std::filesystem::path pin_dir;
};

struct UpReport {
  std::uint64_t generation = 0;
  bool reloaded = false;        // pins were live: the configuration was applied as a reload
  std::size_t backends = 0;     // enabled ones, of all services
  std::size_t backends_up = 0;  // of those, with a next hop; 0 of several is a failure for the caller
  std::vector<std::string>
      warnings;  // sentences: each backend without next hop, each interface in generic mode
};

// Loads and attaches without a daemon: every enabled backend counts as up. Neighbours are solicited for at
// most 2 s; a backend without next hop stays down and is named in a warning. Applies the configuration as a
// reload where pins are live. Fails when a daemon runs, DIR is not on a bpffs, an interface can't be
// attached, or rows don't suffice.
Result<UpReport> up(const UpOptions& options);

// Withdraws the routes to the VIPs (see withdrawal.hpp), detaches and removes every pin. Nothing there is a
// success. Fails, with nothing changed, when a daemon runs or the routes can't be withdrawn.
Result<void> down(const std::filesystem::path& pin_dir);

// Writes the operator's word about a backend (without a daemon: disable or enable), and takes it out of (or
// back into) the slots. service: absent, in every service that has a backend of that name. Fails when a
// daemon runs, nothing is pinned, or no backend (no service) has that name.
Result<void> speak(const std::filesystem::path& pin_dir, const std::string& backend,
                   const std::optional<std::string>& service, core::Word word);

}  // namespace phalanx::daemon

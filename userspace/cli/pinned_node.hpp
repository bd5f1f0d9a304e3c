// SPDX-License-Identifier: Apache-2.0
// The node as its pins say, with or without a daemon.
#pragma once

#include <optional>
#include <string>

#include "adapters/bpf/balancer_maps.hpp"
#include "adapters/bpf/pin_directory.hpp"
#include "adapters/view/views.hpp"
#include "core/applied_state.hpp"
#include "core/result.hpp"

namespace phalanx::cli {

struct PinnedNode {
  adapters::PinDirectory directory;
  adapters::BalancerMaps maps;
  core::AppliedState state;
};

// Fails when nothing is loaded there, or this process may not look.
Result<PinnedNode> open_pinned_node(const std::string& pin_dir);

// Of the daemon that holds the lock on the directory; absent where none does, or there is no directory.
std::optional<long> daemon_pid(const std::string& pin_dir);

adapters::StatusInputs status_inputs(const PinnedNode& node);

}  // namespace phalanx::cli

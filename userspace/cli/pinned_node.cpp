// SPDX-License-Identifier: Apache-2.0
#include "cli/pinned_node.hpp"

#include <utility>

#include "adapters/bpf/xdp_link.hpp"
#include "cli/arguments.hpp"

namespace phalanx::cli {
namespace {

adapters::InterfaceStatus describe(const PinnedNode& node, const std::string& interface) {
  const auto link = adapters::XdpLink::adopt(node.directory, interface);
  if (!link) {
    return {interface, "none", "link", link.error().message};
  }
  if (!*link) {
    return {interface, "none", "link", "no program is attached"};
  }
  const adapters::XdpDescription description = (*link)->describe();
  return {description.name, description.mode, description.attach, description.reason,
          node.maps.tag_of(description.program)};
}

}  // namespace

Result<PinnedNode> open_pinned_node(const std::string& pin_dir) {
  auto directory = adapters::PinDirectory::open(pin_dir, adapters::PinDirectory::IfMissing::fail);
  if (!directory) {
    return Failure(directory.error());
  }
  auto maps = adapters::BalancerMaps::view(*directory);
  if (!maps) {
    return Failure(maps.error());
  }
  auto state = maps->load_state();
  if (!state) {
    return Failure(state.error());
  }
  return PinnedNode{std::move(*directory), std::move(*maps), std::move(*state)};
}

std::optional<long> daemon_pid(const std::string& pin_dir) {
  if (!adapters::PinDirectory::exists(pin_dir)) {
    return std::nullopt;
  }
  const auto directory = adapters::PinDirectory::open(pin_dir, adapters::PinDirectory::IfMissing::fail);
  const auto holder = directory ? directory->lock_holder() : std::nullopt;
  return holder ? std::optional<long>(*holder) : std::nullopt;
}

adapters::StatusInputs status_inputs(const PinnedNode& node) {
  adapters::StatusInputs inputs;
  inputs.version = version();
  for (const std::string& interface : node.state.config.node.interfaces) {
    inputs.interfaces.push_back(describe(node, interface));
  }
  if (const auto holder = node.directory.lock_holder()) {
    inputs.daemon = {.running = true, .pid = *holder};
  }
  inputs.daemon.liveness_is_stale = node.maps.liveness_is_stale();
  return inputs;
}

}  // namespace phalanx::cli

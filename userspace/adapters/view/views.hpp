// SPDX-License-Identifier: Apache-2.0
// What Phalanx says of itself, as JSON: the same from the maps that the daemon holds and from pins that the
// CLI reads. Pure functions: names come from the applied state, everything that moves from the maps.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/applied_state.hpp"
#include "ports/data_plane.hpp"

namespace phalanx::adapters {

struct InterfaceStatus {
  std::string name;
  std::string mode;          // "native", "generic" or "none"
  std::string attach;        // "link"
  std::string reason;        // why this mode; may be empty
  std::string program = {};  // tag of the program there, "another" if it is not the pinned one; empty: none
};

struct DaemonStatus {
  bool running = false;
  std::optional<long> pid;         // of the daemon
  bool liveness_is_stale = false;  // the packet path asks the kernel's FIB for next hops
};

// How the routes to the VIPs stand, which the daemon alone knows.
struct AnnouncementStatus {
  std::string
      state;  // "preferred", "worse" or "withdrawn"; "unknown" while the routing daemon has not said so
  std::string wanted;  // "preferred", "worse", "withdrawn"; "unchanged" while the daemon does not know enough
  std::string reason;  // why it is wanted
  std::string problem;  // why state is not what is wanted; may be empty
};

struct StatusInputs {
  std::string version;
  std::vector<InterfaceStatus> interfaces;
  DaemonStatus daemon;
  std::optional<AnnouncementStatus> announcement =
      std::nullopt;  // absent: not configured, or no daemon to ask
};

// {node, version, generation, daemon: {running, pid, liveness}, interfaces: [{name, mode, attach, reason,
// program}], counters: {label: packets}, drained, announcement: {state, wanted, reason, problem}} with the
// labels of PHX_COUNTERS; pid is null while no daemon runs; liveness is "fresh" or "stale", as the packet
// path sees it; program is null where none is attached. drained: the operator's word about the node.
// announcement is null where node.announce is not configured; without a daemon its state is "unknown" and
// wanted null.
nlohmann::json status_view(const core::AppliedState& state, const ports::DataPlaneView& data,
                           const StatusInputs& inputs);

// [{name, vips, protocol, port, forward, check, slots, digest, backends_up, backends, redundancy, zones_live,
// slots_without_backup, slots_tracked, packets, bytes}]. protocol is written as in a configuration: a word,
// or a list where there are two. slots is how many; backends_up counts those that take new flows. redundancy:
// "full", "last zone", "last backend" or "none", over the backends that are neither down nor disabled;
// zones_live counts the zones that have one.
nlohmann::json services_view(const core::AppliedState& state, const ports::DataPlaneView& data);

// [{service, name, address, port, weight, configured_weight, zone, tier, state, since, reason, override,
// slots: {primary, backup}, flows, packets, bytes}]. weight: the one in force. state: up, down, draining,
// disabled or unknown (no conclusive probe yet). since: RFC 3339 of the last change of health, or null.
// override: null, or the operator's words: "disabled", "draining", "weight 10", several with ", " between.
// flows: those remembered that it serves, as of the last sweep of the flow table. Services that share a
// backend entry share its flows, packets and bytes.
nlohmann::json backends_view(const core::AppliedState& state, const ports::DataPlaneView& data);

// {service, slots, seed, digest, table: [{primary, backup, previous, tracked}]} with the names of backends,
// or null where a slot names none of the service's (previous may have left it). Absent when no service has
// that name.
std::optional<nlohmann::json> slots_view(const core::AppliedState& state, const ports::DataPlaneView& data,
                                         const std::string& service);

// Text of a view, on one line. Reasons come from outside: bytes that are not UTF-8 are replaced.
std::string write_json(const nlohmann::json& view);

}  // namespace phalanx::adapters

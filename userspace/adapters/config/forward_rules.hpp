// SPDX-License-Identifier: Apache-2.0
// What a mode of forwarding asks of a service, its VIPs, its backends and the node's interfaces.
#pragma once

#include "adapters/config/config_file.hpp"
#include "adapters/config/rule_report.hpp"
#include "core/config.hpp"

namespace phalanx::adapters {

// Families and ports; in nat also who owns which backend:
//   - a nat service has one VIP, and all of its backends are of that VIP's family: the path translates
//     addresses and ports, not families, and all VIPs of a service share its slots;
//   - a backend's address and port belong to one VIP and port, over all nat services: what it answers leaves
//     as that one. TCP and UDP services of the same VIP and port may share it.
void check_forwarding(const core::Config& config, RuleReport& report);

// Warns of each interface of this host that a packet of 1500 bytes does not leave with its outer headers.
void check_room(const core::Config& config, const InterfaceMtu& mtu_of, RuleReport& report);

}  // namespace phalanx::adapters

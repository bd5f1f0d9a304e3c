// SPDX-License-Identifier: Apache-2.0
// Brings the data plane to what an engine says, in an order in which a crash between any two stores, or a
// failure, leaves a state that works and that the next start can finish.
#pragma once

#include <string>
#include <vector>

#include "core/engine.hpp"
#include "core/result.hpp"
#include "ports/data_plane.hpp"

namespace phalanx::daemon {

// Sentences about what could not be removed after the commit point; the next publication tries again.
using Warnings = std::vector<std::string>;

// One way for a fresh start, a reload and an adoption: what already holds is not written again. The order:
//   1. rows that no packet can name yet: new entries, fresh regions, services that were not there
//   2. the ways back of nat backends, then new VIPs (may fail: what was put is taken back, and the old state
//   is
//      in force)
//   3. the state document: the commit point
//   4. one store for each service whose table is fresh
//   5. what is gone: VIPs first, then ways back that nobody needs any more, then services
// Fails with a sentence when the kernel refuses a VIP or the document does not fit; nothing changed then. The
// names say which service and VIP.
Result<Warnings> publish(const core::Engine& engine, ports::DataPlane& plane);

// Removes the rows of `nat_sources` that name `entry`, which is given up. Fails with the data plane's
// sentence.
Result<void> forget_way_back(core::EntryIndex entry, ports::DataPlane& plane);

}  // namespace phalanx::daemon

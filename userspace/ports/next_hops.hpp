// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/address.hpp"
#include "core/next_hop.hpp"

namespace phalanx::ports {

struct NextHopChange {
  core::Address target;
  std::optional<core::NextHop> hop;  // absent: there is none now, and `reason` says why
  std::string reason;                // "no route to 10.0.1.11", "neighbour 10.0.0.1 on eth0 does not answer"
};

// Resolves targets to next hops and follows every change of the kernel's routes, links and neighbours.
// Not thread-safe. A change is delivered only where the resolution differs from the last one delivered, from
// the loop, never from inside watch().
class NextHops {
 public:
  using Sink = std::function<void(NextHopChange)>;

  virtual ~NextHops() = default;
  // Begins to resolve target: solicits the neighbour and keeps it resolved (managed) until unwatch().
  // Watching twice counts twice.
  virtual void watch(const core::Address& target) = 0;
  virtual void unwatch(const core::Address& target) = 0;
};

}  // namespace phalanx::ports

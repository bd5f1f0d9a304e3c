// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/announcement.hpp"

namespace phalanx::ports {

// How an attempt to bring the routes to what was wanted ended.
struct AnnouncerOutcome {
  std::optional<core::Announcement> holds;  // the routing daemon said so; absent: nobody knows
  std::string problem;                      // why not, as a sentence; empty where it holds
};

// The routes to the VIPs in the host's routing daemon. Not thread-safe.
class Announcer {
 public:
  // Called from the loop after every attempt, never from inside want().
  using Sink = std::function<void(const AnnouncerOutcome&)>;

  virtual ~Announcer() = default;
  // From now on, until wanted otherwise: stated at once, and again and again, so that it holds when the
  // routing daemon restarts or somebody changes it by hand.
  virtual void want(core::Announcement announcement) = 0;
};

}  // namespace phalanx::ports

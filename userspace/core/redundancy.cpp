// SPDX-License-Identifier: Apache-2.0
#include "core/redundancy.hpp"

#include <algorithm>
#include <set>

namespace phalanx::core {

const char* to_string(Redundancy redundancy) {
  switch (redundancy) {
    case Redundancy::full:
      return "full";
    case Redundancy::last_zone:
      return "last zone";
    case Redundancy::last_backend:
      return "last backend";
    case Redundancy::none:
      return "none";
  }
  return "none";
}

Redundancy redundancy_of(const std::vector<RedundancyMember>& members) {
  std::set<std::string> zones;
  std::set<std::string> live_zones;
  std::size_t live = 0;
  for (const RedundancyMember& member : members) {
    zones.insert(member.zone);
    if (member.live) {
      ++live;
      live_zones.insert(member.zone);
    }
  }
  if (live == 0) {
    return Redundancy::none;
  }
  if (live == 1) {
    return Redundancy::last_backend;
  }
  return zones.size() > 1 && live_zones.size() == 1 ? Redundancy::last_zone : Redundancy::full;
}

std::string redundancy_reason(Redundancy redundancy, const std::vector<RedundancyMember>& members) {
  const auto live = std::ranges::find(members, true, &RedundancyMember::live);
  switch (redundancy) {
    case Redundancy::full:
      return "every slot has a live backup";
    case Redundancy::last_zone:
      return "all live backends are in zone " + live->zone;
    case Redundancy::last_backend:
      return live->name + " is the last live backend; no slot has a live backup";
    case Redundancy::none:
      return "no backend is live";
  }
  return {};
}

}  // namespace phalanx::core

// SPDX-License-Identifier: Apache-2.0
#include "core/redundancy.hpp"

#include <algorithm>

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

Redundancy redundancy_of(std::span<const RedundancyMember> members) {
  const auto first = std::ranges::find(members, true, &RedundancyMember::live);
  if (first == members.end()) {
    return Redundancy::none;
  }
  if (std::ranges::count(members, true, &RedundancyMember::live) == 1) {
    return Redundancy::last_backend;
  }
  bool other_zone = false;
  for (const RedundancyMember& member : members) {
    const bool elsewhere = member.zone != first->zone;
    if (elsewhere && member.live) {
      return Redundancy::full;
    }
    other_zone = other_zone || elsewhere;
  }
  return other_zone ? Redundancy::last_zone : Redundancy::full;
}

std::string redundancy_reason(Redundancy redundancy, std::span<const RedundancyMember> members) {
  const auto live = std::ranges::find(members, true, &RedundancyMember::live);
  switch (redundancy) {
    case Redundancy::full:
      return "every slot has a live backup";
    case Redundancy::last_zone:
      return "all live backends are in zone " + std::string(live->zone);
    case Redundancy::last_backend:
      return std::string(live->name) + " is the last live backend; no slot has a live backup";
    case Redundancy::none:
      return "no backend is live";
  }
  return {};
}

}  // namespace phalanx::core

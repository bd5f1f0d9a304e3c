// SPDX-License-Identifier: Apache-2.0
// Whether this node's routes to the VIPs should stand: the rules of the daemon and of the guard beside it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/health.hpp"
#include "core/probe_schedule.hpp"

namespace phalanx::core {

class Engine;

// How the routes stand, from the point of view of routers.
enum class Announcement : std::uint8_t {
  withdrawn,  // none: routers send this node nothing
  worse,      // at worse preference: taken where no other node offers better
  preferred,
};

const char* to_string(Announcement announcement);

// What the daemon knows of the node.
struct NodeFacts {
  bool attached = false;         // the program runs on every interface of the configuration
  bool in_doubt = false;         // see in_doubt()
  std::size_t backends_up = 0;   // see backends_up()
  SteadyTime::duration turn{0};  // see probe_turn()
  bool drained = false;          // the operator's word
  bool stopping = false;         // the program is about to be detached
};

struct WantedAnnouncement {
  std::optional<Announcement> announcement;  // absent: leave the routes as they are
  std::string_view reason;

  friend bool operator==(const WantedAnnouncement&, const WantedAnnouncement&) = default;
};

// What went worse is told at once. What got better is told when it is steady: a node that came back, and
// knows some of its backends to be up but not yet the others, would send their flows elsewhere.
class AnnouncementRule {
 public:
  // Steady: no doubt, and no backend came or went, for this and a turn of probes.
  static constexpr std::chrono::milliseconds kSteady{500};
  // A backend that flaps, or probes that stay inconclusive, must not keep a node out for ever.
  static constexpr std::chrono::seconds kPatience{10};

  // adopted: the path served before this daemon came, and its routes may stand: they stay as they are until
  // it knows enough.
  AnnouncementRule(bool adopted, SteadyTime start);

  WantedAnnouncement judge(const NodeFacts& facts, SteadyTime now);

 private:
  WantedAnnouncement block(std::string_view reason, SteadyTime now);

  WantedAnnouncement held_;
  std::size_t backends_up_ = 0;
  SteadyTime steady_since_;
  SteadyTime better_since_;  // when something better than held_ began to be possible
};

// A backend's next hop is not resolved yet, or no conclusive probe of this process, or not the last one,
// agrees with what is held for its health.
bool in_doubt(const Engine& engine);
// Backends, as entries, that packets can be sent to.
std::size_t backends_up(const Engine& engine);
// In which every backend is probed once.
SteadyTime::duration probe_turn(const Engine& engine);

// What the guard sees.
struct GuardFacts {
  bool attached = false;
  bool daemon_alive = false;
  bool drained = false;                // the operator's word, as it is pinned
  std::chrono::milliseconds grace{0};  // how long the daemon may be dead
};

// The guard: what to do about a daemon that can't. It looks again and again.
class GuardRule {
 public:
  // Looks in a row that must agree that the program is detached: a change of mode detaches for an instant.
  static constexpr int kDetachedLooks = 2;

  explicit GuardRule(SteadyTime start) : alive_(start) {}

  // Absent: leave everything as it is, which is the daemon's to decide. A daemon that is dead beyond the
  // grace costs the preference only, where there are routes at worse preference: packets are served still,
  // and if every node lost its daemon, somebody must take them.
  std::optional<WantedAnnouncement> look(const GuardFacts& facts, SteadyTime now);

 private:
  SteadyTime alive_;  // when the daemon was seen last, or when the guard began
  int detached_looks_ = 0;
};

}  // namespace phalanx::core

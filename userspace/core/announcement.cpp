// SPDX-License-Identifier: Apache-2.0
#include "core/announcement.hpp"

#include <algorithm>

#include "core/engine.hpp"

namespace phalanx::core {

namespace {

constexpr std::string_view kNotAttached = "the program is not attached to every interface";
constexpr std::string_view kDrained = "drained by the operator";

}  // namespace

const char* to_string(Announcement announcement) {
  switch (announcement) {
    case Announcement::withdrawn:
      return "withdrawn";
    case Announcement::worse:
      return "worse";
    case Announcement::preferred:
      return "preferred";
  }
  return "withdrawn";
}

AnnouncementRule::AnnouncementRule(bool adopted, SteadyTime start)
    : held_{adopted ? std::nullopt : std::optional(Announcement::withdrawn),
            "waiting for what the probes say of the backends"},
      steady_since_(start),
      better_since_(start) {}

WantedAnnouncement AnnouncementRule::block(std::string_view reason, SteadyTime now) {
  better_since_ = now;
  return held_ = {Announcement::withdrawn, reason};
}

WantedAnnouncement AnnouncementRule::judge(const NodeFacts& facts, SteadyTime now) {
  if (facts.in_doubt || facts.backends_up != backends_up_) {
    steady_since_ = now;
  }
  backends_up_ = facts.backends_up;
  if (facts.stopping) {
    return block("the program is about to be detached", now);
  }
  if (facts.drained) {
    return block(kDrained, now);
  }
  if (!facts.attached) {
    return block(kNotAttached, now);
  }
  const WantedAnnouncement best = facts.backends_up > 0
                                      ? WantedAnnouncement{Announcement::preferred, "the path is ready"}
                                      : WantedAnnouncement{Announcement::worse, "no backend can be reached"};
  const bool falls = held_.announcement == Announcement::preferred;
  const bool steady = now - steady_since_ >= kSteady + facts.turn;
  if (falls || steady || now - better_since_ >= kPatience) {
    held_ = best;
  }
  if (held_ == best) {
    better_since_ = now;
  } else if (held_.announcement == Announcement::withdrawn) {
    held_.reason = "waiting for what the probes say of the backends";
  }
  return held_;
}

bool in_doubt(const Engine& engine) {
  return std::ranges::any_of(engine.entries(), [](const auto& row) {
    const Entry& entry = row.second;
    if (entry.lingers() || entry.hop_state == HopState::missing) {
      return false;
    }
    return entry.hop_state == HopState::pending ||
           (entry.is_probed() && (!entry.judged || entry.health.in_doubt()));
  });
}

std::size_t backends_up(const Engine& engine) {
  return static_cast<std::size_t>(std::ranges::count_if(
      engine.entries(), [](const auto& row) { return !row.second.lingers() && row.second.shown_up; }));
}

SteadyTime::duration probe_turn(const Engine& engine) {
  SteadyTime::duration longest{0};
  for (const auto& [index, entry] : engine.entries()) {
    if (entry.is_probed() && !entry.lingers()) {
      longest = std::max<SteadyTime::duration>(longest, entry.identity.check->interval);
    }
  }
  return longest;
}

std::optional<WantedAnnouncement> GuardRule::look(const GuardFacts& facts, SteadyTime now) {
  if (facts.daemon_alive) {
    alive_ = now;
  }
  detached_looks_ = facts.attached ? 0 : std::min(detached_looks_ + 1, kDetachedLooks);
  if (detached_looks_ == kDetachedLooks) {
    return WantedAnnouncement{Announcement::withdrawn, kNotAttached};
  }
  if (now - alive_ < facts.grace) {
    return std::nullopt;
  }
  if (facts.drained) {
    return WantedAnnouncement{Announcement::withdrawn, kDrained};
  }
  return WantedAnnouncement{Announcement::worse, "the daemon has been dead for longer than the grace"};
}

}  // namespace phalanx::core

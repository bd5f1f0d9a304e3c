// SPDX-License-Identifier: Apache-2.0
// Keeps the routes to the VIPs as the node's facts want them, and says how they stand.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "adapters/loop/event_loop.hpp"
#include "adapters/view/views.hpp"
#include "core/action.hpp"
#include "core/announcement.hpp"
#include "core/config.hpp"
#include "ports/announcer.hpp"

namespace phalanx::daemon {

// Not thread-safe; everything happens on the loop's thread.
class AnnouncementKeeper {
 public:
  using Facts = std::function<core::NodeFacts()>;
  using Listener = std::function<void(const core::Announce&)>;
  using MakeAnnouncer =
      std::function<std::unique_ptr<ports::Announcer>(const core::AnnounceSettings&, ports::Announcer::Sink)>;

  // Between looks at the facts.
  static constexpr std::chrono::milliseconds kLook{100};
  // A withdrawal that the routing daemon does not confirm keeps nobody waiting for longer.
  static constexpr std::chrono::milliseconds kConfirmWithin{5000};

  struct World {
    Facts facts;         // as of now; stopping is the keeper's own
    Listener listener;   // hears of every change of how the routes stand
    MakeAnnouncer make;  // never gives null
  };

  // adopted: see core::AnnouncementRule.
  AnnouncementKeeper(adapters::EventLoop& loop, bool adopted, World world);

  // From now on by these settings; absent: nothing is announced or withdrawn. Protocols that are named no
  // longer stay as they are.
  void configure(const std::optional<core::AnnounceSettings>& settings);
  // Looks at the facts now instead of at the next turn.
  void look();
  // Withdraws, and calls `done` once: withdraw_wait after the confirmation, or kConfirmWithin from now
  // without one. At once where nothing is configured.
  void withdraw_for_stop(std::function<void()> done);

  // Absent where nothing is configured.
  std::optional<adapters::AnnouncementStatus> status() const;

 private:
  void on_outcome(const ports::AnnouncerOutcome& outcome);
  void tell(const std::string& to, const std::string& reason);
  void end_stop();

  World world_;
  core::AnnouncementRule rule_;
  std::optional<core::AnnounceSettings> settings_;
  std::unique_ptr<ports::Announcer> announcer_;
  std::optional<core::WantedAnnouncement> wanted_;
  std::string state_ = "unknown";
  std::string problem_;
  bool stopping_ = false;
  bool confirmed_ = false;         // the withdrawal that the stop waits for
  std::function<void()> stopped_;  // to be called when it need wait no longer
  adapters::EventLoop::Source look_timer_;
  adapters::EventLoop::Source stop_timer_;
};

}  // namespace phalanx::daemon

// SPDX-License-Identifier: Apache-2.0
// The routes to the VIPs as protocols of the local BIRD, enabled and disabled over its control socket.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "adapters/bird/bird_reply.hpp"
#include "adapters/loop/event_loop.hpp"
#include "core/config.hpp"
#include "ports/announcer.hpp"

namespace phalanx::adapters {

// Rules:
//   - What is enabled comes before what is disabled: between better and worse there is always a route.
//   - A command is answered within kAnswerWithin, or the connection is given up.
//   - While what is wanted does not hold, or the connection ended, it tries again every kRetry; while it
//   holds,
//     it is stated again every kRestate: BIRD takes that for nothing if it holds.
//   - worse without fallback protocols is said of nothing: see the constructor.
class BirdAnnouncer final : public ports::Announcer {
 public:
  static constexpr std::chrono::milliseconds kAnswerWithin{2000};
  static constexpr std::chrono::milliseconds kRetry{200};
  static constexpr std::chrono::milliseconds kRestate{1000};

  // What Announcement::worse means where the settings name no fallback protocols.
  enum class WithoutFallback { preferred, withdrawn };

  // Nothing is said to BIRD before the first want(). All callbacks come from `loop`.
  BirdAnnouncer(EventLoop& loop, core::AnnounceSettings settings, WithoutFallback without_fallback,
                Sink sink);
  ~BirdAnnouncer() override;
  BirdAnnouncer(const BirdAnnouncer&) = delete;
  BirdAnnouncer& operator=(const BirdAnnouncer&) = delete;

  void want(core::Announcement announcement) override;

  // Nobody listens on the socket, or there is none: no BIRD, so no route of it either. As of the last
  // attempt.
  bool nobody_there() const { return nobody_there_; }

 private:
  struct Command {
    bool enable = false;
    std::string protocol;

    std::string text() const { return (enable ? "enable " : "disable ") + protocol; }
    bool is_done_by(int code) const;
  };

  void on_timer();
  void begin();
  void connect();
  std::vector<Command> commands() const;
  void on_ready();
  void on_reply(const BirdReply& reply);
  void send_next();
  void conclude();
  void give_up(const std::string& why);
  void close();

  core::AnnounceSettings settings_;
  WithoutFallback without_fallback_;
  Sink sink_;
  core::Announcement wanted_ = core::Announcement::withdrawn;
  bool under_way_ = false;       // commands are being said
  bool wanted_changed_ = false;  // since they were made
  bool welcomed_ = false;
  bool nobody_there_ = false;
  int socket_ = -1;
  std::vector<Command> commands_;
  std::size_t said_ = 0;  // of commands_; the last one is not answered yet
  core::Announcement stating_ = core::Announcement::withdrawn;
  std::string problem_;
  BirdReplies replies_;
  EventLoop& loop_;
  EventLoop::Source readable_;
  EventLoop::Source timer_;  // the next attempt, or the deadline of the one under way
};

}  // namespace phalanx::adapters

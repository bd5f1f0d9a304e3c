// SPDX-License-Identifier: Apache-2.0
#include "daemon/announcement_keeper.hpp"

#include <utility>

namespace phalanx::daemon {

using std::chrono::steady_clock;

AnnouncementKeeper::AnnouncementKeeper(adapters::EventLoop& loop, bool adopted, World world)
    : world_(std::move(world)),
      rule_(adopted, steady_clock::now()),
      look_timer_(loop.timer([this] { look(); })),
      stop_timer_(loop.timer([this] { end_stop(); })) {}

void AnnouncementKeeper::configure(const std::optional<core::AnnounceSettings>& settings) {
  if (settings == settings_) {
    return;
  }
  settings_ = settings;
  announcer_.reset();
  wanted_.reset();
  state_ = "unknown";
  problem_.clear();
  look_timer_.disarm();
  if (settings_) {
    announcer_ =
        world_.make(*settings_, [this](const ports::AnnouncerOutcome& outcome) { on_outcome(outcome); });
    look();
  }
}

void AnnouncementKeeper::look() {
  if (!announcer_) {
    return;
  }
  core::NodeFacts facts = world_.facts();
  facts.stopping = stopping_;
  const auto wanted = rule_.judge(facts, steady_clock::now());
  const bool other = !wanted_ || wanted_->announcement != wanted.announcement;
  wanted_ = wanted;
  if (other && wanted.announcement) {
    announcer_->want(*wanted.announcement);
  }
  look_timer_.arm(steady_clock::now() + kLook);
}

void AnnouncementKeeper::on_outcome(const ports::AnnouncerOutcome& outcome) {
  if (outcome.holds && outcome.holds != wanted_->announcement) {
    return;  // wanted otherwise meanwhile: that outcome comes too
  }
  if (outcome.holds) {
    problem_.clear();
    tell(core::to_string(*outcome.holds), std::string(wanted_->reason));
  } else if (outcome.problem != problem_) {
    problem_ = outcome.problem;
    tell("unknown", problem_);
  }
  if (stopping_ && !confirmed_ && outcome.holds == core::Announcement::withdrawn) {
    confirmed_ = true;
    stop_timer_.arm(steady_clock::now() + settings_->withdraw_wait);
  }
}

// A problem is told even if the state was unknown before: it is another one.
void AnnouncementKeeper::tell(const std::string& to, const std::string& reason) {
  if (to == state_ && problem_.empty()) {
    return;
  }
  world_.listener(core::Announce{.time = std::chrono::system_clock::now(),
                                 .type = "announcement",
                                 .service = {},
                                 .backend = {},
                                 .from = state_,
                                 .to = to,
                                 .reason = reason});
  state_ = to;
}

void AnnouncementKeeper::withdraw_for_stop(std::function<void()> done) {
  if (!announcer_) {
    return done();
  }
  stopping_ = true;
  stopped_ = std::move(done);
  stop_timer_.arm(steady_clock::now() + kConfirmWithin);
  wanted_.reset();  // a withdrawal that held before is confirmed anew
  look();
}

void AnnouncementKeeper::end_stop() {
  if (const auto stopped = std::exchange(stopped_, nullptr)) {
    stopped();
  }
}

std::optional<adapters::AnnouncementStatus> AnnouncementKeeper::status() const {
  if (!settings_ || !wanted_) {
    return std::nullopt;
  }
  return adapters::AnnouncementStatus{
      .state = state_,
      .wanted = wanted_->announcement ? core::to_string(*wanted_->announcement) : "unchanged",
      .reason = std::string(wanted_->reason),
      .problem = problem_};
}

}  // namespace phalanx::daemon

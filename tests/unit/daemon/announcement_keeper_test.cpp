// SPDX-License-Identifier: Apache-2.0
#include "daemon/announcement_keeper.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace phalanx::daemon {
namespace {

using namespace std::chrono_literals;
using core::Announcement;
using std::chrono::steady_clock;

// A routing daemon that does what it is told, unless it is broken.
class MemoryAnnouncer final : public ports::Announcer {
 public:
  MemoryAnnouncer(adapters::EventLoop& loop, std::string& broken, Sink sink)
      : broken_(broken), sink_(std::move(sink)), timer_(loop.timer([this] { answer(); })) {}

  void want(Announcement announcement) override {
    wanted.push_back(announcement);
    timer_.arm(steady_clock::now());
  }

  std::vector<Announcement> wanted;

 private:
  void answer() {
    timer_.arm(steady_clock::now() + 10ms);
    sink_(broken_.empty() ? ports::AnnouncerOutcome{wanted.back(), ""}
                          : ports::AnnouncerOutcome{std::nullopt, broken_});
  }

  std::string& broken_;
  Sink sink_;
  adapters::EventLoop::Source timer_;
};

class AnnouncementKeeperTest : public testing::Test {
 protected:
  AnnouncementKeeperTest() { keeper_.configure(settings_); }

  bool until(const std::function<bool()>& condition) {
    const auto deadline = steady_clock::now() + 10s;
    while (!condition()) {
      if (steady_clock::now() > deadline) {
        return false;
      }
      loop_->run_once(20ms);
    }
    return true;
  }
  bool until_state(const std::string& state) {
    return until([&] { return keeper_.status()->state == state; });
  }

  AnnouncementKeeper::World world() {
    return {.facts = [this] { return facts_; },
            .listener = [this](const core::Announce& event) { events_.push_back(event); },
            .make =
                [this](const core::AnnounceSettings&, ports::Announcer::Sink sink) {
                  auto made = std::make_unique<MemoryAnnouncer>(*loop_, broken_, std::move(sink));
                  bird_ = made.get();
                  return made;
                }};
  }

  std::unique_ptr<adapters::EventLoop> loop_ = adapters::EventLoop::open().value();
  core::NodeFacts facts_{.attached = true,
                         .in_doubt = false,
                         .backends_up = 1,
                         .turn = 0ms,
                         .drained = false,
                         .stopping = false};
  std::string broken_;
  std::vector<core::Announce> events_;
  MemoryAnnouncer* bird_ = nullptr;
  core::AnnounceSettings settings_{
      .bird = "/none", .protocols = {"a"}, .fallback = {}, .grace = 1s, .withdraw_wait = 50ms};
  AnnouncementKeeper keeper_{*loop_, false, world()};
};

TEST_F(AnnouncementKeeperTest, each_change_is_told_once_when_it_is_confirmed) {
  ASSERT_TRUE(until_state("preferred"));
  facts_.drained = true;
  keeper_.look();
  EXPECT_EQ(keeper_.status()->state, "preferred") << "told before the routing daemon said so";
  EXPECT_EQ(keeper_.status()->wanted, "withdrawn");
  ASSERT_TRUE(until_state("withdrawn"));
  ASSERT_EQ(events_.size(), 3u);
  EXPECT_EQ(events_[1].from + ">" + events_[1].to, "withdrawn>preferred");
  EXPECT_EQ(events_[2].from + ">" + events_[2].to, "preferred>withdrawn");
  EXPECT_EQ(events_[2].reason, "drained by the operator");
}

TEST_F(AnnouncementKeeperTest, a_problem_is_told_once_and_its_end_too) {
  ASSERT_TRUE(until_state("preferred"));
  broken_ = "no BIRD";
  ASSERT_TRUE(until_state("unknown"));
  EXPECT_EQ(keeper_.status()->problem, "no BIRD");
  const auto told = events_.size();
  broken_.clear();
  ASSERT_TRUE(until_state("preferred"));
  EXPECT_EQ(events_.size(), told + 1);
  EXPECT_EQ(keeper_.status()->problem, "");
}

TEST_F(AnnouncementKeeperTest, a_stop_waits_for_the_withdrawal_and_for_routers) {
  ASSERT_TRUE(until_state("preferred"));
  std::optional<steady_clock::time_point> stopped;
  const auto begun = steady_clock::now();
  keeper_.withdraw_for_stop([&] { stopped = steady_clock::now(); });
  ASSERT_TRUE(until([&] { return stopped.has_value(); }));
  EXPECT_GE(*stopped - begun, settings_.withdraw_wait);
  EXPECT_EQ(bird_->wanted.back(), Announcement::withdrawn);
  EXPECT_EQ(keeper_.status()->state, "withdrawn");
}

TEST_F(AnnouncementKeeperTest, a_stop_ends_though_nobody_confirms) {
  broken_ = "no BIRD";
  bool stopped = false;
  const auto begun = steady_clock::now();
  keeper_.withdraw_for_stop([&] { stopped = true; });
  ASSERT_TRUE(until([&] { return stopped; }));
  EXPECT_GE(steady_clock::now() - begun, AnnouncementKeeper::kConfirmWithin - 100ms);
}

TEST_F(AnnouncementKeeperTest, without_settings_nothing_is_said_and_a_stop_is_immediate) {
  keeper_.configure(std::nullopt);
  EXPECT_FALSE(keeper_.status());
  bool stopped = false;
  keeper_.withdraw_for_stop([&] { stopped = true; });
  EXPECT_TRUE(stopped);
}

}  // namespace
}  // namespace phalanx::daemon

// SPDX-License-Identifier: Apache-2.0
// Against the real BIRD, which needs no rights for static routes in its own tables; and against what is no
// BIRD.
#include "adapters/bird/bird_announcer.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "http_client.hpp"

namespace phalanx::adapters {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

class BirdAnnouncerTest : public testing::Test {
 protected:
  void TearDown() override { end_bird(); }

  // Routes of one family: the file says which protocols there are.
  void start_bird(const std::string& protocols) {
    const std::string config = scratch_ / "bird.conf";
    std::ofstream(config) << "log \"" << std::string(scratch_ / "bird.log")
                          << "\" all;\nrouter id 10.0.0.1;\n"
                          << protocols;
    bird_ = ::fork();
    ASSERT_GE(bird_, 0);
    if (bird_ == 0) {
      const std::string socket = settings_.bird;
      ::execlp("bird", "bird", "-f", "-c", config.c_str(), "-s", socket.c_str(), nullptr);
      ::execl("/usr/sbin/bird", "bird", "-f", "-c", config.c_str(), "-s", socket.c_str(), nullptr);
      ::_exit(127);  // the tests that need it fail loudly: it is in tools/packages
    }
  }

  void end_bird() {
    if (bird_ > 0) {
      ::kill(bird_, SIGKILL);
      ::waitpid(bird_, nullptr, 0);
      bird_ = -1;
    }
  }

  static std::string protocol(const std::string& name) {
    return "protocol static " + name + " { disabled; ipv4; route 203.0.113.0/24 blackhole; }\n";
  }

  std::unique_ptr<BirdAnnouncer> announcer(
      BirdAnnouncer::WithoutFallback without = BirdAnnouncer::WithoutFallback::preferred) {
    return std::make_unique<BirdAnnouncer>(*loop_, settings_, without,
                                           [this](const ports::AnnouncerOutcome& outcome) {
                                             ++outcomes_;
                                             last_ = outcome;
                                           });
  }

  // Runs the loop until it says so; false after 10 s.
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
  bool until_holds(core::Announcement wanted) {
    return until([&] { return last_.holds == wanted; });
  }

  // BIRD's log tells what was done, and in which order.
  std::string log() {
    std::ifstream file(scratch_ / "bird.log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  ScratchDirectory scratch_;
  std::unique_ptr<EventLoop> loop_ = EventLoop::open().value();
  core::AnnounceSettings settings_{
      .bird = scratch_ / "bird.ctl", .protocols = {"good"}, .fallback = {}, .grace = 1s, .withdraw_wait = 0s};
  ports::AnnouncerOutcome last_;
  int outcomes_ = 0;
  pid_t bird_ = -1;
};

TEST_F(BirdAnnouncerTest, enables_and_disables_protocols) {
  start_bird(protocol("good"));
  const auto routes = announcer();
  routes->want(core::Announcement::preferred);
  ASSERT_TRUE(until_holds(core::Announcement::preferred)) << last_.problem;
  EXPECT_NE(log().find("Enabling protocol good"), std::string::npos);
  routes->want(core::Announcement::withdrawn);
  ASSERT_TRUE(until_holds(core::Announcement::withdrawn)) << last_.problem;
  EXPECT_NE(log().find("Disabling protocol good"), std::string::npos);
}

TEST_F(BirdAnnouncerTest, goes_to_worse_preference_without_a_moment_of_no_route) {
  settings_.fallback = {"worse"};
  start_bird(protocol("good") + protocol("worse"));
  const auto routes = announcer();
  routes->want(core::Announcement::preferred);
  ASSERT_TRUE(until_holds(core::Announcement::preferred)) << last_.problem;
  routes->want(core::Announcement::worse);
  ASSERT_TRUE(until_holds(core::Announcement::worse)) << last_.problem;
  const std::string said = log();
  const auto enabled = said.find("Enabling protocol worse");
  ASSERT_NE(enabled, std::string::npos) << said;
  EXPECT_LT(enabled, said.find("Disabling protocol good")) << said;
}

TEST_F(BirdAnnouncerTest, worse_without_fallback_is_what_the_owner_says) {
  start_bird(protocol("good"));
  const auto daemon = announcer();
  daemon->want(core::Announcement::worse);
  ASSERT_TRUE(until_holds(core::Announcement::worse)) << last_.problem;
  EXPECT_NE(log().find("Enabling protocol good"), std::string::npos);
  const auto guard = announcer(BirdAnnouncer::WithoutFallback::withdrawn);
  last_ = {};
  guard->want(core::Announcement::worse);
  ASSERT_TRUE(until([&] { return log().find("Disabling protocol good") != std::string::npos; }));
}

TEST_F(BirdAnnouncerTest, tells_a_bird_that_restarted_again) {
  start_bird(protocol("good"));
  const auto routes = announcer();
  routes->want(core::Announcement::preferred);
  ASSERT_TRUE(until_holds(core::Announcement::preferred)) << last_.problem;
  end_bird();
  ASSERT_TRUE(until([&] { return !last_.holds; }));
  EXPECT_FALSE(last_.problem.empty());
  start_bird(protocol("good"));
  ASSERT_TRUE(until_holds(core::Announcement::preferred)) << last_.problem;
}

TEST_F(BirdAnnouncerTest, a_protocol_that_bird_does_not_know_is_a_sentence) {
  start_bird(protocol("another"));
  const auto routes = announcer();
  routes->want(core::Announcement::preferred);
  ASSERT_TRUE(until([&] { return last_.problem.find("protocol static good") != std::string::npos; }))
      << last_.problem;
  EXPECT_FALSE(last_.holds);
}

TEST_F(BirdAnnouncerTest, no_bird_at_all_is_a_sentence_and_known_as_such) {
  const auto routes = announcer();
  routes->want(core::Announcement::withdrawn);
  ASSERT_TRUE(until([&] { return outcomes_ > 0; }));
  EXPECT_FALSE(last_.holds);
  EXPECT_TRUE(routes->nobody_there());
  EXPECT_NE(last_.problem.find("no BIRD runs there"), std::string::npos) << last_.problem;
  ASSERT_TRUE(until([&] { return outcomes_ > 2; })) << "it gave up";
}

// Listens where BIRD should, and says `greeting` to who comes.
class NoBird {
 public:
  explicit NoBird(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket_, 4), 0);
  }
  ~NoBird() {
    ::close(peer_);
    ::close(socket_);
  }
  void greet(const std::string& greeting) {
    peer_ = ::accept(socket_, nullptr, nullptr);
    ASSERT_GE(peer_, 0);
    EXPECT_EQ(::send(peer_, greeting.data(), greeting.size(), 0), static_cast<ssize_t>(greeting.size()));
  }

 private:
  int socket_;
  int peer_ = -1;
};

TEST_F(BirdAnnouncerTest, what_answers_but_is_not_bird_is_a_sentence) {
  NoBird other(settings_.bird);
  const auto routes = announcer();
  routes->want(core::Announcement::preferred);
  loop_->run_once(100ms);
  other.greet("220 ready\r\n");
  ASSERT_TRUE(until([&] { return outcomes_ > 0; }));
  EXPECT_NE(last_.problem.find("correct \"bird\" of node.announce"), std::string::npos) << last_.problem;
}

TEST_F(BirdAnnouncerTest, a_bird_that_hangs_is_given_up_and_tried_again) {
  NoBird hung(settings_.bird);
  const auto routes = announcer();
  routes->want(core::Announcement::preferred);
  loop_->run_once(100ms);
  hung.greet("0001 BIRD 2.0.12 ready.\n");
  ASSERT_TRUE(until([&] { return outcomes_ > 0; }));
  EXPECT_NE(last_.problem.find("no answer within"), std::string::npos) << last_.problem;
}

}  // namespace
}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "daemon/guard.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/bird/bird_announcer.hpp"
#include "adapters/bpf/balancer_maps.hpp"
#include "adapters/bpf/pin_directory.hpp"
#include "adapters/bpf/xdp_link.hpp"
#include "adapters/config/config_file.hpp"
#include "adapters/loop/event_loop.hpp"
#include "core/announcement.hpp"

namespace phalanx::daemon {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLook{100};

Result<core::Node> read_node(const std::string& file) {
  const auto parsed = adapters::read_config(file);
  if (!parsed) {
    return Failure(parsed.error());
  }
  if (!parsed->config) {
    return fail("guard the node of " + file + ": it has errors; correct them (phalanx check " + file + ")");
  }
  if (!parsed->config->node.announce) {
    return fail(
        "guard the node of " + file +
        ": node.announce is not configured, so there are no routes to guard; configure it, or start no "
        "guard");
  }
  return parsed->config->node;
}

// Memory pressure is one of the ways in which a daemon dies: the guard should be there then. A process that
// may not ask for this guards all the same.
void hold_on_to_life() {
  (void)::mlockall(MCL_CURRENT);
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    constexpr std::string_view kLast = "-900";
    (void)!::write(fd, kLast.data(), kLast.size());
    ::close(fd);
  }
}

class Guard {
 public:
  Guard(adapters::EventLoop& loop, GuardOptions options, core::Node node)
      : loop_(loop),
        options_(std::move(options)),
        node_(std::move(node)),
        rule_(steady_clock::now()),
        timer_(loop.timer([this] { look(); })) {
    for (const int signal : {SIGTERM, SIGINT}) {
      signals_.push_back(loop.on_signal(signal, [this] { loop_.stop(0); }));
    }
    signals_.push_back(loop.on_signal(SIGHUP, [this] { reload(); }));
    look();
  }

 private:
  void look() {
    const auto now = steady_clock::now();
    const auto wanted = rule_.look(facts(), now);
    if (wanted != wanted_) {
      wanted_ = wanted;
      follow();
    }
    timer_.arm(now + kLook);
  }

  core::GuardFacts facts() {
    if (auto seen = see()) {
      seen_ = *seen;
    } else if (std::exchange(doubt_, seen.error().message) != seen.error().message) {
      // Trouble of the guard's own is no evidence against the node.
      spdlog::warn("{}; what was known of the node counts on", seen.error().message);
    }
    seen_.grace = node_.announce->grace;
    return seen_;
  }

  Result<core::GuardFacts> see() {
    using adapters::PinDirectory;
    core::GuardFacts facts;
    if (!PinDirectory::exists(options_.pin_dir)) {
      return facts;
    }
    const auto directory = PinDirectory::open(options_.pin_dir, PinDirectory::IfMissing::fail);
    if (!directory) {
      return Failure(directory.error());
    }
    facts.daemon_alive = directory->lock_holder().has_value();
    facts.drained = !facts.daemon_alive && was_drained(*directory);
    facts.attached = true;
    for (const std::string& interface : node_.interfaces) {
      const auto link = adapters::XdpLink::adopt(*directory, interface);
      if (!link) {
        return Failure(link.error());
      }
      facts.attached = facts.attached && *link && (*link)->attached();
    }
    if (facts.daemon_alive) {
      drained_.reset();
    }
    return facts;
  }

  // Nobody changes the word of a dead daemon: it is read once. One that can't be read was not spoken.
  bool was_drained(const adapters::PinDirectory& directory) {
    if (!drained_) {
      const auto maps = adapters::BalancerMaps::view(directory);
      const auto state = maps ? maps->load_state() : Failure(maps.error());
      drained_ = state && state->node_drained;
    }
    return *drained_;
  }

  void follow() {
    if (!wanted_) {
      spdlog::info("the program is attached and the daemon is alive: the routes are the daemon's");
      bird_.reset();
      return;
    }
    spdlog::warn("{}: the routes should be {}", wanted_->reason, core::to_string(*wanted_->announcement));
    told_.clear();
    if (!bird_) {
      bird_ = std::make_unique<adapters::BirdAnnouncer>(
          loop_, *node_.announce, adapters::BirdAnnouncer::WithoutFallback::withdrawn,
          [this](const ports::AnnouncerOutcome& outcome) { tell(outcome); });
    }
    bird_->want(*wanted_->announcement);
  }

  void tell(const ports::AnnouncerOutcome& outcome) {
    const std::string text =
        outcome.holds ? std::string("BIRD says so: ") + core::to_string(*outcome.holds) : outcome.problem;
    if (std::exchange(told_, text) != text) {
      spdlog::log(outcome.holds ? spdlog::level::info : spdlog::level::err, "{}", text);
    }
  }

  void reload() {
    auto node = read_node(options_.config_file);
    if (!node) {
      return spdlog::error("{}; the former configuration stays", node.error().message);
    }
    node_ = std::move(*node);
    bird_.reset();
    wanted_.reset();
    spdlog::info("read {} again", options_.config_file);
  }

  adapters::EventLoop& loop_;
  GuardOptions options_;
  core::Node node_;
  core::GuardRule rule_;
  std::optional<core::WantedAnnouncement> wanted_;
  // Before the first look: nothing is wrong.
  core::GuardFacts seen_{.attached = true, .daemon_alive = true, .drained = false, .grace = {}};
  std::optional<bool> drained_;
  std::string doubt_;
  std::string told_;
  std::unique_ptr<adapters::BirdAnnouncer> bird_;
  std::vector<adapters::EventLoop::Source> signals_;
  adapters::EventLoop::Source timer_;
};

}  // namespace

Result<void> guard(const GuardOptions& options) {
  auto node = read_node(options.config_file);
  if (!node) {
    return Failure(node.error());
  }
  auto loop = adapters::EventLoop::open();
  if (!loop) {
    return Failure(loop.error());
  }
  hold_on_to_life();
  const Guard guard(**loop, options, std::move(*node));
  sd_notify(0, "READY=1");
  (*loop)->run();
  return {};
}

}  // namespace phalanx::daemon

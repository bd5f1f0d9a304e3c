// SPDX-License-Identifier: Apache-2.0
#include "daemon/withdrawal.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "adapters/bird/bird_announcer.hpp"
#include "adapters/loop/event_loop.hpp"

namespace phalanx::daemon {

Result<void> withdraw(const core::AnnounceSettings& settings) {
  using adapters::BirdAnnouncer;
  using std::chrono::milliseconds;
  using std::chrono::steady_clock;
  constexpr milliseconds kConfirmWithin{5000};
  auto loop = adapters::EventLoop::open();
  if (!loop) {
    return Failure(loop.error());
  }
  std::optional<ports::AnnouncerOutcome> last;
  BirdAnnouncer bird(**loop, settings, BirdAnnouncer::WithoutFallback::withdrawn,
                     [&last](const ports::AnnouncerOutcome& outcome) { last = outcome; });
  bird.want(core::Announcement::withdrawn);
  const auto deadline = steady_clock::now() + kConfirmWithin;
  while (!last || (!last->holds && !bird.nobody_there())) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) {
      return fail("withdraw the routes before detaching: " +
                  (last ? last->problem : "no answer of the BIRD at " + settings.bird) +
                  "; nothing was detached; try again, or stop BIRD first, which withdraws them too");
    }
    (*loop)->run_once(left);
  }
  if (last->holds) {
    std::this_thread::sleep_for(settings.withdraw_wait);
  }
  return {};
}

}  // namespace phalanx::daemon

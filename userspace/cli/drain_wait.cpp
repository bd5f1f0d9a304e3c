// SPDX-License-Identifier: Apache-2.0
#include "cli/drain_wait.hpp"

#include <unistd.h>

#include <cstdio>
#include <set>
#include <string>
#include <thread>

#include "adapters/view/names.hpp"
#include "adapters/view/standing.hpp"
#include "cli/output.hpp"
#include "cli/pinned_node.hpp"

namespace phalanx::cli {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kPoll{1};

// A line that is written over and over, on a terminal only.
class ProgressLine {
 public:
  ~ProgressLine() { show(""); }

  void show(const std::string& text) {
    if (!terminal_ || text == shown_) {
      return;
    }
    std::fflush(stdout);
    std::fprintf(stderr, "\r\033[K%s", text.c_str());
    std::fflush(stderr);
    shown_ = text;
  }

 private:
  bool terminal_ = ::isatty(STDERR_FILENO) != 0;
  std::string shown_;
};

Result<std::uint64_t> flows_left(const Arguments& arguments) {
  const std::string attempt = "wait for the flows of " + arguments.name;
  if (!daemon_pid(arguments.pin_dir)) {
    return fail(attempt + ": the daemon ended, and nobody counts them; start phalanxd and drain again");
  }
  const auto node = open_pinned_node(arguments.pin_dir);
  if (!node) {
    return Failure(node.error());
  }
  const auto meant = adapters::find_backend(node->state, arguments.name, arguments.service, attempt);
  if (!meant) {
    return Failure(meant.error());
  }
  std::set<core::EntryIndex> entries;
  for (const adapters::Membership& membership : *meant) {
    const auto& [service, backend] = membership;
    if (!adapters::override_of(node->state, *service, *backend).drained) {
      return fail(attempt + ": it no longer drains in " + service->name + "; somebody took the word back");
    }
    entries.insert(node->state.layout.entries().at(core::entry_identity(*service, *backend)));
  }
  std::uint64_t flows = 0;
  for (const core::EntryIndex entry : entries) {
    flows += node->maps.backend_status(entry).flows;
  }
  return flows;
}

std::string timed_out(const std::string& backend, std::uint64_t flows) {
  const std::string what =
      flows == 0 ? "none is seen, but for less than the 10 seconds that it takes to be sure"
                 : counted(flows, "flow") + (flows == 1 ? " was" : " were") + " left when the time was over";
  return "wait for the flows of " + backend + ": " + what +
         "; it goes on draining: wait longer (--timeout), or disable it and they move";
}

}  // namespace

DrainProgress::State DrainProgress::observe(std::uint64_t flows, Time now) {
  if (flows > 0) {
    none_since_ = now;
  }
  if (now - none_since_ >= kNoFlowsFor) {
    return State::over;
  }
  return now >= deadline_ ? State::timed_out : State::waiting;
}

Result<void> wait_for_drain(const Arguments& arguments) {
  const auto start = steady_clock::now();
  DrainProgress progress(start, arguments.timeout);
  ProgressLine line;
  for (;;) {
    const auto flows = flows_left(arguments);
    if (!flows) {
      return Failure(flows.error());
    }
    const auto now = steady_clock::now();
    switch (progress.observe(*flows, now)) {
      case DrainProgress::State::over:
        return {};
      case DrainProgress::State::timed_out:
        return fail(timed_out(arguments.name, *flows));
      case DrainProgress::State::waiting:
        break;
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - start).count();
    line.show(arguments.name + ": " + counted(*flows, "flow") + " left after " + std::to_string(seconds) +
              " s");
    std::this_thread::sleep_for(kPoll);
  }
}

}  // namespace phalanx::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/drain_wait.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "adapters/view/names.hpp"
#include "adapters/view/standing.hpp"
#include "cli/agent_client.hpp"
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

bool is_tcp_only(const core::Service& service) {
  return std::ranges::all_of(service.protocols,
                             [](core::Protocol protocol) { return protocol == core::Protocol::tcp; });
}

// Of all services that it drains in; absent where the agents are not asked, do not answer, or can't know of
// all flows.
std::optional<std::uint64_t> connections_of(const std::vector<adapters::Membership>& memberships,
                                            std::uint16_t agent_port) {
  std::uint64_t connections = 0;
  for (const auto& [service, backend] : memberships) {
    if (agent_port == 0 || !is_tcp_only(*service)) {
      return std::nullopt;
    }
    const auto living = living_connections({backend->endpoint.address, agent_port}, *service);
    if (!living) {
      return std::nullopt;
    }
    connections += *living;
  }
  return connections;
}

Result<LeftOver> left_over(const Arguments& arguments) {
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
  LeftOver left{.flows = 0, .connections = connections_of(*meant, node->state.config.node.agent_port)};
  for (const core::EntryIndex entry : entries) {
    left.flows += node->maps.backend_status(entry).flows;
  }
  return left;
}

std::string text_of(const LeftOver& left) {
  const std::string flows = counted(left.flows, "flow") + " seen lately";
  return left.connections ? counted(*left.connections, "connection") + " left, " + flows : flows;
}

std::string timed_out(const std::string& backend, const LeftOver& left) {
  const bool none = left.flows == 0 && left.connections.value_or(0) == 0;
  const std::string what = none ? "none is seen, but for less than the 10 seconds that it takes to be sure"
                                : text_of(left) + " when the time was over";
  return "wait for the flows of " + backend + ": " + what +
         "; it goes on draining: wait longer (--timeout), or disable it and they move";
}

}  // namespace

DrainProgress::State DrainProgress::observe(const LeftOver& left, Time now) {
  const bool none = left.connections == 0u;
  if (std::exchange(agent_said_none_, none) && none) {
    return State::over;
  }
  if (left.flows > 0 || left.connections) {
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
    const auto left = left_over(arguments);
    if (!left) {
      return Failure(left.error());
    }
    const auto now = steady_clock::now();
    switch (progress.observe(*left, now)) {
      case DrainProgress::State::over:
        return {};
      case DrainProgress::State::timed_out:
        return fail(timed_out(arguments.name, *left));
      case DrainProgress::State::waiting:
        break;
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - start).count();
    line.show(arguments.name + ": " + text_of(*left) + " after " + std::to_string(seconds) + " s");
    std::this_thread::sleep_for(kPoll);
  }
}

}  // namespace phalanx::cli

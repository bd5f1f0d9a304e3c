// SPDX-License-Identifier: Apache-2.0
// The loop: begins requests on schedule, waits for sockets, ends what takes too long.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <queue>
#include <vector>

#include "connection.hpp"
#include "options.hpp"
#include "report.hpp"

namespace phalanx::load {

class Load {
 public:
  // Throws ClientFault. `options` outlives this.
  explicit Load(const Options& options);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Runs until the duration is over or SIGINT or SIGTERM arrives, then until every outstanding request has
  // its outcome, at most the time-out; writes the summary. SIGUSR1 ends a phase. The caller has blocked all
  // three. Throws ClientFault.
  void run();

 private:
  struct Beginning {
    Time at;
    std::size_t connection;
    bool operator>(const Beginning& other) const { return at > other.at; }
  };
  struct Deadline {
    Time at;
    std::size_t connection;
    std::uint64_t request_number;
  };

  void begin_due(Time now);
  void expire_due(Time now);
  void stop_when_due(Time now);
  void schedule_next(std::size_t connection);
  void wait();
  void take_signal();
  Time next_timer() const;
  bool outstanding() const;

  const Options& options_;
  int epoll_fd_ = -1;
  int signal_fd_ = -1;
  Time start_;
  Time end_;  // no request begins later
  Time next_progress_;
  Time woken_;
  bool stopping_ = false;
  Report report_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::priority_queue<Beginning, std::vector<Beginning>, std::greater<>> beginnings_;
  std::deque<Deadline> deadlines_;  // in order, since the time-out is the same for all
};

}  // namespace phalanx::load

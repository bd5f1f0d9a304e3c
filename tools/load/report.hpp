// SPDX-License-Identifier: Apache-2.0
// What the load client writes down: JSON lines as things happen, totals for the summary. Single-threaded.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "options.hpp"

namespace phalanx::load {

// CLOCK_MONOTONIC: that is what libstdc++'s steady_clock reads on Linux, so times compare with other
// programs'.
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

// One HTTP request from its beginning to its outcome.
struct Request {
  std::size_t connection = 0;
  Time begin;
  Time end;
  std::uint16_t local_port = 0;  // host byte order; 0: no socket was bound
  std::string backend;           // by whom this TCP connection was served; "" if nobody answered on it yet
};

class Report {
 public:
  // start: the beginning of the run, from which gaps before the first success count.
  Report(const Options& options, Time start);

  void success(const Request& request);
  // stage: "connect" or "answer". reason: a few words, such as "connection refused".
  void failure(const Request& request, std::string_view stage, std::string_view reason);
  // A TCP connection got its first answer, from `request.backend`.
  void established(const Request& request);
  // The client ended an established connection, as it was asked to.
  void ended(const Request& request);
  // An established connection ended without the client wanting it.
  void broken(const Request& request, std::string_view reason);
  // The loop was away from waiting for this long: the client itself lacked the processor.
  void stalled(std::chrono::nanoseconds away);

  void progress(Time now);
  // Ends a phase of the measurement: writes what was felt since the last one ended.
  void phase(Time now);
  void summary(Time now);
  // False once standard output took no more: the measurement is lost then.
  bool written() const { return written_; }

 private:
  struct Break {
    Time at;
    std::string backend;
    std::string reason;
  };
  struct Tally {
    std::uint64_t succeeded = 0;
    std::uint64_t failed = 0;
    Time last_success;
    std::chrono::nanoseconds longest_gap{0};
    Time gap_begin;
    std::chrono::nanoseconds phase_gap{0};  // the longest that ended in this phase
    std::string backend;                    // that serves it now; "" while it has no answered connection
    std::vector<std::string> backends;
    std::vector<Break> breaks;

    void count_gap(Time until);
  };

  void write_line(const std::string& line);

  const Options options_;
  const Time start_;
  std::vector<Tally> connections_;
  Tally overall_;
  std::uint64_t succeeded_at_last_progress_ = 0;
  std::uint64_t failed_at_last_progress_ = 0;
  std::uint64_t breaks_ = 0;
  std::uint64_t succeeded_at_last_phase_ = 0;
  std::uint64_t failed_at_last_phase_ = 0;
  std::uint64_t breaks_at_last_phase_ = 0;
  std::chrono::nanoseconds slowest_{0};
  std::chrono::nanoseconds longest_stall_{0};
  bool written_ = true;
};

}  // namespace phalanx::load

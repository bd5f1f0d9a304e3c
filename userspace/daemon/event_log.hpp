// SPDX-License-Identifier: Apache-2.0
// What happened, for operators: the last events, kept in memory, passed on to followers and to the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "core/action.hpp"

namespace phalanx::daemon {

class EventLog {
 public:
  struct Line {
    std::uint64_t time_ns;  // wall clock, since 1970
    std::string text;  // JSON without a line feed: {time, node, type, service, backend, from, to, reason}
  };
  using Follower = std::function<void(const std::string& line)>;

  // node: its name, in every line. capacity: events kept.
  EventLog(std::string node, std::size_t capacity) : node_(std::move(node)), capacity_(capacity) {}

  void add(const core::Announce& event);

  // Oldest first.
  const std::deque<Line>& lines() const { return lines_; }

  // The follower gets each line as it comes, until unfollow().
  std::uint64_t follow(Follower follower);
  void unfollow(std::uint64_t id);

 private:
  std::string node_;
  std::size_t capacity_;
  std::deque<Line> lines_;
  std::map<std::uint64_t, Follower> followers_;
  std::uint64_t last_id_ = 0;
};

}  // namespace phalanx::daemon

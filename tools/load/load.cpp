// SPDX-License-Identifier: Apache-2.0
#include "load.hpp"

#include <fmt/core.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace phalanx::load {
namespace {

constexpr std::uint64_t kSignalId = ~0ull;
constexpr std::chrono::seconds kProgressInterval{1};

timespec to_timespec(std::chrono::nanoseconds length) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(length);
  return {seconds.count(), (length - seconds).count()};
}

}  // namespace

Load::Load(const Options& options)
    : options_(options),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      start_(Clock::now()),
      end_(options.duration.count() == 0 ? Time::max() : start_ + options.duration),
      next_progress_(start_ + kProgressInterval),
      woken_(start_),
      report_(options, start_) {
  if (epoll_fd_ < 0) throw ClientFault{fmt::format("create an epoll descriptor: {}", std::strerror(errno))};
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGUSR1);
  signal_fd_ = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kSignalId;
  if (signal_fd_ < 0 || epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, signal_fd_, &event) != 0) {
    throw ClientFault{fmt::format("watch for signals: {}", std::strerror(errno))};
  }
  for (std::size_t i = 0; i < options.connections; ++i) {
    const Target& target = options.targets[i % options.targets.size()];
    connections_.push_back(std::make_unique<Connection>(i, target, options, epoll_fd_, report_));
    // Spread over one interval, so that the load is even from the beginning.
    beginnings_.push({start_ + options.interval * i / options.connections, i});
  }
}

Load::~Load() {
  connections_.clear();
  if (signal_fd_ >= 0) close(signal_fd_);
  if (epoll_fd_ >= 0) close(epoll_fd_);
}

void Load::run() {
  while (!stopping_ || outstanding()) {
    wait();
    const Time now = Clock::now();
    stop_when_due(now);
    begin_due(now);
    expire_due(now);
    if (now >= next_progress_) {
      report_.progress(now);
      next_progress_ += kProgressInterval;
    }
    if (!report_.written()) throw ClientFault{"write the report to standard output: it takes no more"};
  }
  report_.summary(Clock::now());
  if (!report_.written()) throw ClientFault{"write the summary to standard output: it takes no more"};
}

void Load::wait() {
  std::array<epoll_event, 256> events;
  const Time before = Clock::now();
  report_.stalled(before - woken_);
  const timespec timeout = to_timespec(std::max(next_timer() - before, Time::duration::zero()));
  const int count =
      epoll_pwait2(epoll_fd_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  woken_ = Clock::now();
  if (count < 0 && errno != EINTR)
    throw ClientFault{fmt::format("wait for events: {}", std::strerror(errno))};
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == kSignalId) {
      take_signal();
      continue;
    }
    const auto id = static_cast<std::size_t>(event.data.u64);
    const bool was_busy = connections_[id]->busy();
    connections_[id]->on_events(event.events);
    if (was_busy && !connections_[id]->busy()) schedule_next(id);
  }
}

void Load::take_signal() {
  signalfd_siginfo info;
  while (read(signal_fd_, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGUSR1) {
      report_.phase(Clock::now());
    } else {
      end_ = Time::min();
    }
  }
}

void Load::stop_when_due(Time now) {
  if (stopping_ || now < end_) return;
  stopping_ = true;
  beginnings_ = {};
}

void Load::begin_due(Time now) {
  while (!beginnings_.empty() && beginnings_.top().at <= now) {
    const std::size_t id = beginnings_.top().connection;
    beginnings_.pop();
    const Time begin = Clock::now();
    connections_[id]->begin(begin);
    if (connections_[id]->busy()) {
      deadlines_.push_back({begin + options_.timeout, id, connections_[id]->request_number()});
    } else {
      schedule_next(id);
    }
  }
}

void Load::expire_due(Time now) {
  while (!deadlines_.empty()) {
    const Deadline& deadline = deadlines_.front();
    Connection& connection = *connections_[deadline.connection];
    const bool current = connection.busy() && connection.request_number() == deadline.request_number;
    if (current && deadline.at > now) return;
    if (current) {
      connection.expire(now);
      schedule_next(deadline.connection);
    }
    deadlines_.pop_front();
  }
}

void Load::schedule_next(std::size_t connection) {
  if (stopping_) return;
  // A late connection does not catch up by a burst: the next request is one interval after this one's
  // beginning.
  beginnings_.push({connections_[connection]->request_begin() + options_.interval, connection});
}

Time Load::next_timer() const {
  Time next = next_progress_;
  if (!beginnings_.empty()) next = std::min(next, beginnings_.top().at);
  if (!deadlines_.empty()) next = std::min(next, deadlines_.front().at);
  if (!stopping_) next = std::min(next, end_);
  return next;
}

bool Load::outstanding() const {
  return std::any_of(connections_.begin(), connections_.end(), [](const auto& c) { return c->busy(); });
}

}  // namespace phalanx::load

// SPDX-License-Identifier: Apache-2.0
#include "adapters/probe/loop_prober.hpp"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "adapters/probe/http_exchange.hpp"
#include "adapters/probe/socket_verdict.hpp"

namespace phalanx::adapters {

namespace {

using core::Verdict;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Sockets handled before the loop gets its turn.
constexpr int kReadyAStep = 128;
constexpr std::size_t kReadBytes = 4096;
// A timer that is late by less is nothing out of the ordinary.
constexpr milliseconds kLeastLateness{10};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

SocketAddress socket_address(const core::Endpoint& endpoint) {
  SocketAddress result;
  if (endpoint.address.family == core::Family::ipv4) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    std::memcpy(&address.sin_addr, endpoint.address.bytes.data(), sizeof(address.sin_addr));
    std::memcpy(&result.storage, &address, sizeof(address));
    result.size = sizeof(address);
  } else {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(endpoint.port);
    std::memcpy(&address.sin6_addr, endpoint.address.bytes.data(), sizeof(address.sin6_addr));
    std::memcpy(&result.storage, &address, sizeof(address));
    result.size = sizeof(address);
  }
  return result;
}

std::string in_ms(milliseconds duration) {
  return std::to_string(duration.count()) + " ms";
}

}  // namespace

struct LoopProber::Attempt {
  enum class Stage { connecting, sending, reading };

  explicit Attempt(milliseconds limit) : timeout(limit) {}
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  ~Attempt() {
    if (fd < 0) {
      return;
    }
    const linger reset{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
  }

  // What only an HTTP probe needs.
  struct Http {
    core::Check check;
    std::string request;
    std::size_t sent = 0;
    HttpStatusReader reader;
  };

  int fd = -1;
  Stage stage = Stage::connecting;
  milliseconds timeout;
  SteadyTime deadline;
  std::optional<SocketVerdict> settled;  // known in start(), told from the loop
  std::unique_ptr<Http> http;
};

Result<std::unique_ptr<LoopProber>> LoopProber::open(EventLoop& loop, Sink sink) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) {
    return fail(std::string("open an epoll descriptor for probes: ") + std::strerror(errno) +
                "; raise the limit of open files (RLIMIT_NOFILE)");
  }
  return std::unique_ptr<LoopProber>(new LoopProber(loop, std::move(sink), epoll));
}

LoopProber::LoopProber(EventLoop& loop, Sink sink, int epoll) : sink_(std::move(sink)), epoll_(epoll) {
  readable_ = loop.watch(epoll_, EPOLLIN, [this](std::uint32_t) { read_ready(); });
  timer_ = loop.timer([this] { expire(); });
}

LoopProber::~LoopProber() {
  readable_.reset();
  attempts_.clear();
  close(epoll_);
}

void LoopProber::start(const ports::ProbeRequest& request) {
  const auto [place, fresh] =
      attempts_.emplace(request.attempt, std::make_unique<Attempt>(request.check.timeout));
  PHX_CHECK(fresh);
  Attempt& attempt = *place->second;
  if (request.check.type == core::CheckType::http) {
    attempt.http = std::make_unique<Attempt::Http>();
    attempt.http->check = request.check;
    attempt.http->request = http_request(request.check, request.target);
  }
  begin(attempt, request.attempt, request.target);
  const SteadyTime now = steady_clock::now();
  set_deadline(request.attempt, attempt, attempt.settled ? now : now + attempt.timeout);
}

void LoopProber::abandon(std::uint64_t attempt) {
  forget(attempt);
}

void LoopProber::begin(Attempt& attempt, std::uint64_t id, const core::Endpoint& target) {
  const SocketAddress address = socket_address(target);
  attempt.fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (attempt.fd < 0) {
    attempt.settled = local_error(errno, "open a socket");
    return;
  }
  const auto* generic = reinterpret_cast<const sockaddr*>(&address.storage);
  if (connect(attempt.fd, generic, address.size) != 0 && errno != EINPROGRESS) {
    attempt.settled = local_error(errno, "connect");
    return;
  }
  // Edge-triggered for both directions: one registration serves the whole attempt.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = id;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, attempt.fd, &event) != 0) {
    attempt.settled = local_error(errno, "watch a socket");
  }
}

bool LoopProber::read_ready() {
  std::array<epoll_event, kReadyAStep> events;
  const int count = epoll_wait(epoll_, events.data(), kReadyAStep, 0);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
    // The sink may have abandoned it since.
    if (const auto found = attempts_.find(id); found != attempts_.end()) {
      on_ready(id, *found->second);
    }
  }
  return count == kReadyAStep;
}

void LoopProber::on_ready(std::uint64_t id, Attempt& attempt) {
  switch (attempt.stage) {
    case Attempt::Stage::connecting:
      on_connected(id, attempt);
      return;
    case Attempt::Stage::sending:
      send_request(id, attempt);
      return;
    case Attempt::Stage::reading:
      read_answer(id, attempt);
      return;
  }
}

void LoopProber::on_connected(std::uint64_t id, Attempt& attempt) {
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(attempt.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    fail_by(id, error);
  } else if (attempt.http == nullptr) {
    finish(id, {Verdict::pass, "connected"});
  } else {
    attempt.stage = Attempt::Stage::sending;
    send_request(id, attempt);
  }
}

void LoopProber::send_request(std::uint64_t id, Attempt& attempt) {
  Attempt::Http& http = *attempt.http;
  const std::string_view rest = std::string_view(http.request).substr(http.sent);
  const ssize_t count = send(attempt.fd, rest.data(), rest.size(), MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN) {
    fail_by(id, errno);
    return;
  }
  http.sent += count > 0 ? static_cast<std::size_t>(count) : 0;
  if (http.sent == http.request.size()) {
    attempt.stage = Attempt::Stage::reading;
    read_answer(id, attempt);
  }
}

void LoopProber::read_answer(std::uint64_t id, Attempt& attempt) {
  std::array<char, kReadBytes> buffer;
  Attempt::Http& http = *attempt.http;
  while (true) {
    const ssize_t count = recv(attempt.fd, buffer.data(), buffer.size(), 0);
    if (count < 0) {
      if (errno != EAGAIN) {
        fail_by(id, errno);
      }
      return;
    }
    if (count == 0) {
      finish(id, {Verdict::fail, "the connection was closed before a status line"});
      return;
    }
    http.reader.feed({buffer.data(), static_cast<std::size_t>(count)});
    if (const auto status = http.reader.status()) {
      const bool expected = expects(http.check, *status);
      finish(id, {expected ? Verdict::pass : Verdict::fail,
                  expected ? "HTTP " + std::to_string(*status) : unexpected_status(http.check, *status)});
      return;
    }
    if (!http.reader.garbage().empty()) {
      finish(id, {Verdict::fail, http.reader.garbage()});
      return;
    }
  }
}

void LoopProber::fail_by(std::uint64_t id, int error) {
  finish(id, remote_error(error));
}

void LoopProber::set_deadline(std::uint64_t id, Attempt& attempt, SteadyTime deadline) {
  attempt.deadline = deadline;
  deadlines_.emplace(deadline, id);
  arm();
}

// Not disarmed when the nearest deadline goes: one wake-up for nothing is cheaper than a timer set anew for
// each probe that passes.
void LoopProber::arm() {
  if (!deadlines_.empty() && deadlines_.begin()->first < armed_) {
    armed_ = deadlines_.begin()->first;
    timer_.arm(armed_);
  }
}

void LoopProber::expire() {
  // Answers that have arrived count, however late this process is.
  for (std::size_t left = attempts_.size() / kReadyAStep + 1; left > 0 && read_ready(); --left) {
  }
  const SteadyTime now = steady_clock::now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    expire_one(deadlines_.begin()->second, now);
  }
  armed_ = SteadyTime::max();
  arm();
}

void LoopProber::expire_one(std::uint64_t id, SteadyTime now) {
  Attempt& attempt = *attempts_.at(id);
  if (attempt.settled) {
    finish(id, std::move(*attempt.settled));
    return;
  }
  const auto late = std::chrono::duration_cast<milliseconds>(now - attempt.deadline);
  if (late > std::max(attempt.timeout / 2, kLeastLateness)) {
    finish(id, {Verdict::inconclusive,
                "this host noticed the time-out " + in_ms(late) + " late: it is short of CPU time"});
    return;
  }
  const bool connected = attempt.stage != Attempt::Stage::connecting;
  finish(id, {Verdict::fail,
              (connected ? "no status line within " : "no connection within ") + in_ms(attempt.timeout),
              connected});
}

std::unique_ptr<LoopProber::Attempt> LoopProber::forget(std::uint64_t id) {
  const auto found = attempts_.find(id);
  if (found == attempts_.end()) {
    return nullptr;
  }
  auto attempt = std::move(found->second);
  attempts_.erase(found);
  deadlines_.erase({attempt->deadline, id});
  return attempt;
}

void LoopProber::finish(std::uint64_t id, SocketVerdict verdict) {
  forget(id).reset();  // the socket is closed before the sink may need its descriptor
  sink_({id, verdict.verdict, std::move(verdict.reason), verdict.heard});
}

}  // namespace phalanx::adapters

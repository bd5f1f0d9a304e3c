// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace phalanx::load {
namespace {

// Longer than any backend's name, shorter than what could hurt.
constexpr std::size_t kMaxBody = 256;

bool is_client_fault(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
         error == EADDRNOTAVAIL || error == EACCES || error == EPERM;
}

std::uint16_t local_port_of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  // The port lies at the same place in sockaddr_in and sockaddr_in6.
  sockaddr_in v4{};
  std::memcpy(&v4, &address, sizeof v4);
  return ntohs(v4.sin_port);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \r\n\t");
  return end == std::string_view::npos ? std::string_view{} : text.substr(0, end + 1);
}

}  // namespace

Connection::Connection(std::size_t id, const Target& target, const Options& options, int epoll_fd,
                       Report& report)
    : id_(id),
      target_(target),
      request_text_(fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: phalanx-load\r\n\r\n",
                                options.path, target.host)),
      fresh_(options.fresh),
      // Not all at once: connections begin together.
      requests_(options.requests == 0
                    ? 0
                    : options.requests + static_cast<unsigned>(id % (options.requests / 2 + 1))),
      epoll_fd_(epoll_fd),
      report_(report) {
  request_.connection = id;
}

Connection::~Connection() {
  close_socket(false);
}

void Connection::begin(Time now) {
  busy_ = true;
  ++request_number_;
  request_.begin = now;
  if (phase_ == Phase::kOpen) {
    send_request();
  } else {
    connect();
  }
}

void Connection::connect() {
  request_.backend.clear();
  request_.local_port = 0;
  answered_ = false;
  answers_ = 0;
  fd_ = socket(target_.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) throw ClientFault{fmt::format("open a socket: {}", std::strerror(errno))};
  const int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  epoll_event event{};
  // Edge-triggered, both directions once and for all: no epoll_ctl a request.
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = id_;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd_, &event) != 0) {
    throw ClientFault{fmt::format("watch a socket: {}", std::strerror(errno))};
  }
  phase_ = Phase::kConnecting;
  const int outcome =
      ::connect(fd_, reinterpret_cast<const sockaddr*>(&target_.address), target_.address_length);
  const int error = outcome == 0 ? 0 : errno;
  request_.local_port = local_port_of(fd_);
  if (error == 0 || error == EINPROGRESS) return;  // the next event says how it went
  if (is_client_fault(error)) {
    throw ClientFault{fmt::format("connect to {}: {}", target_.text, std::strerror(error))};
  }
  fail(Clock::now(), std::strerror(error));
}

void Connection::finish_connecting() {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) {
    fail(Clock::now(), std::strerror(error));
    return;
  }
  phase_ = Phase::kOpen;
  http_parser_init(&parser_, HTTP_RESPONSE);
  parser_.data = this;
  send_request();
}

void Connection::send_request() {
  complete_ = false;
  body_.clear();
  const ssize_t sent = send(fd_, request_text_.data(), request_text_.size(), MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(request_text_.size())) return;
  // The buffer is empty between requests, so a short write is as odd as an error.
  const Time now = Clock::now();
  const std::string reason = sent < 0 ? std::strerror(errno) : "short write";
  if (answered_) lose(now, reason);
  fail(now, reason);
}

void Connection::on_events(std::uint32_t events) {
  if (phase_ == Phase::kConnecting && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) finish_connecting();
  if (phase_ == Phase::kOpen && (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) receive();
}

void Connection::receive() {
  std::array<char, 4096> buffer;
  while (phase_ == Phase::kOpen) {
    const ssize_t got = recv(fd_, buffer.data(), buffer.size(), 0);
    if (got > 0) {
      take(buffer.data(), static_cast<std::size_t>(got));
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    const std::string reason = got == 0 ? "closed by the other side" : std::strerror(errno);
    const Time now = Clock::now();
    if (answered_) lose(now, reason);
    if (busy_) {
      fail(now, reason);
    } else {
      close_socket(false);
    }
  }
}

http_parser_settings Connection::parser_settings() {
  http_parser_settings settings;
  http_parser_settings_init(&settings);
  settings.on_body = [](http_parser* parser, const char* data, std::size_t size) {
    auto* self = static_cast<Connection*>(parser->data);
    if (self->body_.size() + size > kMaxBody) return 1;
    self->body_.append(data, size);
    return 0;
  };
  settings.on_message_complete = [](http_parser* parser) {
    auto* self = static_cast<Connection*>(parser->data);
    self->complete_ = true;
    self->status_ = parser->status_code;
    self->keep_alive_ = http_should_keep_alive(parser) != 0;
    return 0;
  };
  return settings;
}

void Connection::take(const char* data, std::size_t size) {
  static const http_parser_settings kSettings = parser_settings();
  if (!busy_) {
    const Time now = Clock::now();
    if (answered_) lose(now, "data that nobody asked for");
    close_socket(true);
    return;
  }
  const std::size_t parsed = http_parser_execute(&parser_, &kSettings, data, size);
  const auto error = static_cast<http_errno>(parser_.http_errno);
  if (error != HPE_OK || parsed != size) {
    const Time now = Clock::now();
    if (answered_) lose(now, "malformed answer");
    fail(now, fmt::format("malformed answer: {}", http_errno_description(error)));
    return;
  }
  if (complete_) complete();
}

void Connection::complete() {
  request_.end = Clock::now();
  complete_ = false;
  if (status_ != 200) {
    if (answered_) lose(request_.end, "unexpected status");
    fail(request_.end, fmt::format("status {}", status_));
    return;
  }
  const std::string_view name = trimmed(body_);
  if (answered_ && name != request_.backend) {
    // A connection lives on one host; another name on it means that something in between lies.
    const std::string reason = fmt::format("answered by {} on a connection of {}", name, request_.backend);
    lose(request_.end, reason);
    fail(request_.end, reason);
    return;
  }
  if (!answered_) {
    answered_ = true;
    request_.backend = name;
    report_.established(request_);
  }
  busy_ = false;
  report_.success(request_);
  if (fresh_) {
    // By a reset, since thousands of ports a minute in TIME_WAIT would be used up.
    close_socket(true);
    return;
  }
  if (!keep_alive_) {
    lose(request_.end, "the server ended keep-alive");
    close_socket(false);
  } else if (++answers_ == requests_) {
    report_.ended(request_);
    answered_ = false;
    close_socket(false);
  }
}

void Connection::expire(Time now) {
  if (answered_) lose(now, "time-out");
  fail(now, "time-out");
}

void Connection::fail(Time now, std::string_view reason) {
  const std::string_view stage = phase_ == Phase::kConnecting ? "connect" : "answer";
  request_.end = now;
  busy_ = false;
  report_.failure(request_, stage, reason);
  close_socket(true);
}

void Connection::lose(Time now, std::string_view reason) {
  request_.end = now;
  report_.broken(request_, reason);
  answered_ = false;
}

void Connection::close_socket(bool reset) {
  if (fd_ < 0) return;
  if (reset) {
    // What is unacknowledged must not be sent again behind the next connection's back.
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  close(fd_);
  fd_ = -1;
  phase_ = Phase::kClosed;
}

}  // namespace phalanx::load

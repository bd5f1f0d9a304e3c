// SPDX-License-Identifier: Apache-2.0
// One keep-alive HTTP connection: at most one request outstanding, connecting anew when it must.
#pragma once

#include <http_parser.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "options.hpp"
#include "report.hpp"

namespace phalanx::load {

// The client itself cannot go on (out of ports, descriptors, memory): no measurement of the network.
struct ClientFault {
  std::string sentence;
};

class Connection {
 public:
  // epoll_fd, target, options, report: outlive this. The socket is registered with `id` as its epoll data.
  Connection(std::size_t id, const Target& target, const Options& options, int epoll_fd, Report& report);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Begins a request at `now`; requires !busy(). Throws ClientFault.
  void begin(Time now);
  // The socket has events (EPOLL*). Throws ClientFault.
  void on_events(std::uint32_t events);
  // The outstanding request took too long; requires busy().
  void expire(Time now);

  bool busy() const { return busy_; }
  // Counts requests begun: tells a timer whether it is still about the outstanding one.
  std::uint64_t request_number() const { return request_number_; }
  Time request_begin() const { return request_.begin; }

 private:
  enum class Phase { kClosed, kConnecting, kOpen };

  void connect();
  void finish_connecting();
  void send_request();
  void receive();
  void take(const char* data, std::size_t size);
  void complete();
  void fail(Time now, std::string_view reason);
  void lose(Time now, std::string_view reason);
  void close_socket(bool reset);
  static http_parser_settings parser_settings();

  const std::size_t id_;
  const Target& target_;
  const std::string request_text_;
  const bool fresh_;
  const unsigned requests_;  // on one socket; 0: without end
  const int epoll_fd_;
  Report& report_;
  int fd_ = -1;
  Phase phase_ = Phase::kClosed;
  bool busy_ = false;
  bool answered_ = false;  // on this socket
  bool complete_ = false;  // the parser saw the end of an answer
  bool keep_alive_ = true;
  unsigned answers_ = 0;  // on this socket
  unsigned status_ = 0;
  std::uint64_t request_number_ = 0;
  Request request_;
  std::string body_;
  http_parser parser_{};
};

}  // namespace phalanx::load

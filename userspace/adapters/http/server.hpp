// SPDX-License-Identifier: Apache-2.0
// An HTTP/1.1 server on the daemon's loop, over libmicrohttpd: no thread of its own. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "adapters/http/listen_socket.hpp"
#include "adapters/http/router.hpp"
#include "adapters/loop/event_loop.hpp"
#include "core/result.hpp"

struct MHD_Daemon;

namespace phalanx::adapters {

struct HttpLimits {
  unsigned connections = 64;                     // at once; more wait to be accepted
  std::size_t connection_memory = 32 * 1024;     // bytes; bounds the request line and header together
  std::size_t body = std::size_t{4} << 20;       // bytes of a request's body; more is refused with 413
  std::chrono::seconds idle{10};                 // a connection on which nothing moves is closed
  std::chrono::milliseconds keep_alive{15'000};  // between empty lines to the readers of streams
};

class HttpServer {
 public:
  // Serves on `socket` until destroyed. Handlers run on the loop's thread; they must not destroy the server.
  // Fails when the kernel gives no descriptors.
  static Result<std::unique_ptr<HttpServer>> open(EventLoop& loop, ListenSocket socket, Router router,
                                                  HttpLimits limits = {});
  // Requests that wait for an answer get a 503, streams end.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const ListenSocket& socket() const { return socket_; }

 private:
  friend struct HttpCallbacks;

  HttpServer(EventLoop& loop, ListenSocket socket, Router router, HttpLimits limits);
  Result<void> start();
  void turn();
  void wake();
  void keep_streams_alive();

  EventLoop& loop_;
  ListenSocket socket_;
  Router router_;
  HttpLimits limits_;
  MHD_Daemon* daemon_ = nullptr;
  std::map<Exchange*, std::shared_ptr<Exchange>> exchanges_;  // requests under way
  EventLoop::Source watch_;
  EventLoop::Source timer_;
  EventLoop::Source keep_alive_;
};

}  // namespace phalanx::adapters

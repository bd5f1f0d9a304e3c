// SPDX-License-Identifier: Apache-2.0
#include "adapters/http/server.hpp"

#include <microhttpd.h>
#include <sys/epoll.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "adapters/http/connection.hpp"

namespace phalanx::adapters {

// What libmicrohttpd calls. A friend, so that the header needs none of its types.
struct HttpCallbacks {
  static MHD_Result take_parameter(void* request, MHD_ValueKind, const char* key, const char* value) {
    static_cast<Request*>(request)->query[key] = value != nullptr ? value : "";
    return MHD_YES;
  }

  static std::uint64_t announced_length(MHD_Connection* connection) {
    const char* text =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : 0;
  }

  static MHD_Result begin(HttpServer& server, MHD_Connection* connection, const char* path,
                          const char* method, void** slot) {
    auto exchange = std::make_shared<Exchange>(connection, [&server] { server.wake(); });
    exchange->request.method = std::strcmp(method, "HEAD") == 0 ? "GET" : method;
    exchange->request.path = path;
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_parameter, &exchange->request);
    *slot = exchange.get();
    server.exchanges_.emplace(exchange.get(), exchange);
    if (announced_length(connection) > server.limits_.body) {
      exchange->dispatched = true;
      return queue_response(connection,
                            error_response(413, "the request's body is longer than the limit of " +
                                                    std::to_string(server.limits_.body) + " bytes"));
    }
    return MHD_YES;
  }

  static MHD_Result access(void* cls, MHD_Connection* connection, const char* path, const char* method,
                           const char*, const char* upload, std::size_t* upload_size, void** slot) {
    HttpServer& server = *static_cast<HttpServer*>(cls);
    if (*slot == nullptr) {
      return begin(server, connection, path, method, slot);
    }
    const auto exchange = static_cast<Exchange*>(*slot)->shared_from_this();
    if (*upload_size != 0) {
      std::string& body = exchange->request.body;
      if (body.size() + *upload_size > server.limits_.body) {
        return MHD_NO;  // chunked, without end: closing is the only answer that costs nothing
      }
      body.append(upload, *upload_size);
      *upload_size = 0;
      return MHD_YES;
    }
    if (!exchange->dispatched) {
      exchange->dispatched = true;
      server.router_.dispatch(exchange->request, Reply(exchange));
    }
    return exchange->deliver();
  }

  static void completed(void* cls, MHD_Connection*, void** slot, MHD_RequestTerminationCode) {
    if (*slot == nullptr) {
      return;
    }
    auto& exchanges = static_cast<HttpServer*>(cls)->exchanges_;
    const auto found = exchanges.find(static_cast<Exchange*>(*slot));
    *slot = nullptr;
    if (found != exchanges.end()) {
      found->second->detach();
      exchanges.erase(found);
    }
  }
};

Result<std::unique_ptr<HttpServer>> HttpServer::open(EventLoop& loop, ListenSocket socket, Router router,
                                                     HttpLimits limits) {
  std::unique_ptr<HttpServer> server(new HttpServer(loop, std::move(socket), std::move(router), limits));
  if (auto started = server->start(); !started) {
    return Failure(started.error());
  }
  return server;
}

HttpServer::HttpServer(EventLoop& loop, ListenSocket socket, Router router, HttpLimits limits)
    : loop_(loop), socket_(std::move(socket)), router_(std::move(router)), limits_(limits) {}

Result<void> HttpServer::start() {
  daemon_ =
      MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, nullptr, nullptr, &HttpCallbacks::access,
                       this, MHD_OPTION_LISTEN_SOCKET, socket_.fd(), MHD_OPTION_CONNECTION_LIMIT,
                       limits_.connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits_.connection_memory,
                       MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(limits_.idle.count()),
                       MHD_OPTION_NOTIFY_COMPLETED, &HttpCallbacks::completed, this, MHD_OPTION_END);
  if (daemon_ == nullptr) {
    return fail("serve HTTP on " + socket_.name() + ": " + std::strerror(errno) +
                "; raise the limit of open files (RLIMIT_NOFILE)");
  }
  const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
  PHX_CHECK(info != nullptr);
  timer_ = loop_.timer([this] { turn(); });
  watch_ = loop_.watch(info->epoll_fd, EPOLLIN, [this](std::uint32_t) { turn(); });
  keep_alive_ = loop_.timer([this] { keep_streams_alive(); });
  keep_alive_.arm(std::chrono::steady_clock::now() + limits_.keep_alive);
  return {};
}

HttpServer::~HttpServer() {
  if (daemon_ == nullptr) {
    return;
  }
  // The loop may have ended already: from here on nothing is asked of it.
  watch_.reset();
  timer_.reset();
  keep_alive_.reset();
  // libmicrohttpd refuses to stop while a connection is suspended.
  const auto pending = exchanges_;
  for (const auto& [key, exchange] : pending) {
    if (exchange->streaming()) {
      exchange->end_stream();
    } else {
      exchange->answer(error_response(503, "the daemon is stopping; ask again when it runs"));
    }
  }
  MHD_run(daemon_);             // resumes
  MHD_run(daemon_);             // sends
  MHD_quiesce_daemon(daemon_);  // the socket stays ours to close
  MHD_stop_daemon(daemon_);
}

void HttpServer::turn() {
  MHD_run(daemon_);
  MHD_UNSIGNED_LONG_LONG wait_ms = 0;
  if (MHD_get_timeout(daemon_, &wait_ms) == MHD_YES) {
    timer_.arm(std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms));
  } else {
    timer_.disarm();
  }
}

void HttpServer::wake() {
  if (timer_) {
    timer_.arm(std::chrono::steady_clock::now());
  }
}

void HttpServer::keep_streams_alive() {
  for (const auto& [key, exchange] : exchanges_) {
    if (exchange->streaming()) {
      exchange->append("\n");
    }
  }
  keep_alive_.arm(std::chrono::steady_clock::now() + limits_.keep_alive);
}

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
// A raw client of a server that lives on the test's own loop: whoever waits, runs the loop.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>

#include "adapters/http/server.hpp"

namespace phalanx::adapters {

inline bool run_until(EventLoop& loop, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!done() && std::chrono::steady_clock::now() < deadline) {
    loop.run_once(std::chrono::milliseconds(5));
  }
  return done();
}

class HttpClient {
 public:
  HttpClient(EventLoop& loop, const std::filesystem::path& path) : loop_(loop) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  HttpClient(EventLoop& loop, std::uint16_t port) : loop_(loop) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  ~HttpClient() { leave(); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void leave() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
    fd_ = -1;
  }

  // Sends all, running the loop while the socket is full. False when the server closed before.
  bool send(std::string text) {
    bool closed = false;
    run_until(loop_, [&] {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      closed = sent < 0 && errno != EAGAIN;
      text.erase(0, sent > 0 ? static_cast<std::size_t>(sent) : 0);
      return closed || text.empty();
    });
    return !closed && text.empty();
  }

  // What came so far.
  const std::string& received() {
    char buffer[65536];
    for (;;) {
      const ssize_t length = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (length <= 0) {
        closed_ = closed_ || length == 0 || errno != EAGAIN;
        return received_;
      }
      received_.append(buffer, static_cast<std::size_t>(length));
    }
  }

  bool wait_for(const std::string& text) {
    return run_until(loop_, [&] { return received().find(text) != std::string::npos; });
  }
  bool wait_for_close() {
    return run_until(loop_, [&] { return received(), closed_; });
  }

  // The whole answer to a request after which the server closes.
  std::string ask(const std::string& line, const std::string& body = "") {
    send(line + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_TRUE(wait_for_close()) << line;
    return received_;
  }

 private:
  void connect(int family, const sockaddr* address, socklen_t length) {
    fd_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd_, address, length), 0) << std::strerror(errno);
  }

  EventLoop& loop_;
  int fd_ = -1;
  bool closed_ = false;
  std::string received_;
};

inline std::string body_of(const std::string& response) {
  const std::size_t end = response.find("\r\n\r\n");
  return end != std::string::npos ? response.substr(end + 4) : "";
}

inline int status_of(const std::string& response) {
  return response.size() > 12 ? std::stoi(response.substr(9, 3)) : 0;
}

// A directory that goes with the test.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    char pattern[] = "/tmp/phalanx-http-XXXXXX";
    path_ = ::mkdtemp(pattern);
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace phalanx::adapters

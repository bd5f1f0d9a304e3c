// SPDX-License-Identifier: Apache-2.0
// Talks to the daemon's API over its Unix socket.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace phalanx::cli {

struct ApiRequest {
  std::string method;  // "GET" or "POST"
  std::string target;  // path and query, as they go over the wire
};

class DaemonClient {
 public:
  // socket: its path. pid: of the daemon, for sentences.
  DaemonClient(std::string socket, long pid) : socket_(std::move(socket)), pid_(pid) {}

  // The whole answer. Fails with the daemon's own sentence where it refuses; and when nobody answers on the
  // socket, for which a daemon that is starting has 2 s.
  Result<std::string> ask(const ApiRequest& request) const;

  // Calls `line` for each line of the answer as it comes, empty ones left out; until the daemon ends it.
  Result<void> follow(const ApiRequest& request, const std::function<void(std::string_view)>& line) const;

 private:
  std::string socket_;
  long pid_;
};

// Fails, saying to start phalanxd, when no daemon holds the lock on the directory. purpose: "show events".
Result<DaemonClient> connect_daemon(const std::string& pin_dir, const std::string& socket,
                                    const std::string& purpose);

// Percent-encoded for a path or a query (RFC 3986 section 2.1).
std::string url_encode(std::string_view text);

}  // namespace phalanx::cli

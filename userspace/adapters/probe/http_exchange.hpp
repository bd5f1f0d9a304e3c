// SPDX-License-Identifier: Apache-2.0
// One HTTP/1.1 exchange as bytes: the request, and the status of the answer. No socket, no clock.
#pragma once

#include <http_parser.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/address.hpp"
#include "core/config.hpp"

namespace phalanx::adapters {

// GET of check.path with `Connection: close`. The Host field is check.host, else the target (RFC 9110 section
// 7.2: with the port where it is not 80).
std::string http_request(const core::Check& check, const core::Endpoint& target);

// Whether one of the check's ranges holds the status.
bool expects(const core::Check& check, int status);

// "HTTP 503 is not in 200-299"
std::string unexpected_status(const core::Check& check, int status);

// Reads an answer up to the end of its status line; interim answers (1xx but 101) are read over. Accepts any
// bytes.
class HttpStatusReader {
 public:
  HttpStatusReader();
  HttpStatusReader(const HttpStatusReader&) = delete;
  HttpStatusReader& operator=(const HttpStatusReader&) = delete;

  // No status line is sought beyond so many bytes.
  static constexpr std::size_t kMostBytes = 16384;

  void feed(std::string_view bytes);

  // The final status, once its line is complete and a header's name or the blank line has followed.
  std::optional<int> status() const { return status_; }
  // Why there will never be one; empty where there may be.
  const std::string& garbage() const { return garbage_; }

 private:
  static int on_line_end(http_parser* parser);
  static int on_header(http_parser* parser, const char*, std::size_t);

  http_parser parser_;
  std::size_t bytes_ = 0;
  std::optional<int> status_;
  std::string garbage_;
};

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "adapters/probe/http_exchange.hpp"

#include <algorithm>

namespace phalanx::adapters {

namespace {

std::string host_field(const core::Check& check, const core::Endpoint& target) {
  if (!check.host.empty()) {
    return check.host;
  }
  std::string text = to_string(target);
  return target.port == 80 ? text.substr(0, text.rfind(':')) : text;
}

}  // namespace

std::string http_request(const core::Check& check, const core::Endpoint& target) {
  return "GET " + check.path + " HTTP/1.1\r\nHost: " + host_field(check, target) +
         "\r\nUser-Agent: phalanx\r\nAccept: */*\r\nConnection: close\r\n\r\n";
}

bool expects(const core::Check& check, int status) {
  return std::any_of(
      check.expect_status.begin(), check.expect_status.end(),
      [&](const core::StatusRange& range) { return status >= range.first && status <= range.last; });
}

std::string unexpected_status(const core::Check& check, int status) {
  std::string text = "HTTP " + std::to_string(status) + " is not in ";
  for (const core::StatusRange& range : check.expect_status) {
    text += &range == check.expect_status.data() ? "" : ", ";
    text += std::to_string(range.first);
    text += range.first == range.last ? "" : "-" + std::to_string(range.last);
  }
  return text;
}

HttpStatusReader::HttpStatusReader() {
  http_parser_init(&parser_, HTTP_RESPONSE);
  parser_.data = this;
}

// The parser says nothing at the end of the status line itself: what comes next is a header or the blank
// line.
int HttpStatusReader::on_line_end(http_parser* parser) {
  auto* reader = static_cast<HttpStatusReader*>(parser->data);
  const int status = static_cast<int>(parser->status_code);
  const bool interim = status < 200 && status != 101;
  if (!reader->status_ && !interim) {
    reader->status_ = status;
  }
  return 0;
}

int HttpStatusReader::on_header(http_parser* parser, const char*, std::size_t) {
  return on_line_end(parser);
}

void HttpStatusReader::feed(std::string_view bytes) {
  static const http_parser_settings kSettings = [] {
    http_parser_settings settings;
    http_parser_settings_init(&settings);
    settings.on_header_field = on_header;
    settings.on_headers_complete = on_line_end;
    return settings;
  }();
  if (status_ || !garbage_.empty()) {
    return;
  }
  bytes_ += bytes.size();
  http_parser_execute(&parser_, &kSettings, bytes.data(), bytes.size());
  if (status_) {
    return;  // whatever the rest is
  }
  if (const auto error = HTTP_PARSER_ERRNO(&parser_); error != HPE_OK) {
    garbage_ = std::string("the answer is not HTTP: ") + http_errno_description(error);
  } else if (bytes_ >= kMostBytes) {
    garbage_ = "no status line in the first " + std::to_string(kMostBytes) + " bytes";
  }
}

}  // namespace phalanx::adapters

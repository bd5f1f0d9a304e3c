// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "adapters/probe/http_exchange.hpp"

namespace phalanx::adapters {
namespace {

core::Endpoint endpoint(const char* text) {
  return core::parse_endpoint(text).value();
}

TEST(HttpRequest, names_the_host_as_rfc_9110_says) {
  core::Check check;
  check.path = "/healthz?full=1";
  EXPECT_EQ(http_request(check, endpoint("192.0.2.1:8080")),
            "GET /healthz?full=1 HTTP/1.1\r\nHost: 192.0.2.1:8080\r\nUser-Agent: phalanx\r\nAccept: */*\r\n"
            "Connection: close\r\n\r\n");
  EXPECT_NE(http_request(check, endpoint("192.0.2.1:80")).find("\r\nHost: 192.0.2.1\r\n"), std::string::npos);
  EXPECT_NE(http_request(check, endpoint("[2001:db8::1]:80")).find("\r\nHost: [2001:db8::1]\r\n"),
            std::string::npos);
  EXPECT_NE(http_request(check, endpoint("[2001:db8::1]:81")).find("\r\nHost: [2001:db8::1]:81\r\n"),
            std::string::npos);
  check.host = "example.net";
  EXPECT_NE(http_request(check, endpoint("192.0.2.1:8080")).find("\r\nHost: example.net\r\n"),
            std::string::npos);
}

TEST(HttpStatus, is_judged_by_the_ranges) {
  core::Check check;
  check.expect_status = {{200, 204}, {301, 301}};
  EXPECT_TRUE(expects(check, 200));
  EXPECT_TRUE(expects(check, 301));
  EXPECT_FALSE(expects(check, 205));
  EXPECT_EQ(unexpected_status(check, 503), "HTTP 503 is not in 200-204, 301");
}

// The status read from `answer` when it comes in pieces of `step` bytes.
std::optional<int> status_of(std::string_view answer, std::size_t step) {
  HttpStatusReader reader;
  for (std::size_t i = 0; i < answer.size(); i += step) {
    reader.feed(answer.substr(i, step));
  }
  return reader.status();
}

TEST(HttpStatus, is_read_from_pieces_of_any_size) {
  for (const std::size_t step : {1u, 2u, 3u, 7u, 1000u}) {
    EXPECT_EQ(status_of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", step), 200);
    EXPECT_EQ(status_of("HTTP/1.0 503 Service Unavailable\r\n\r\n", step), 503);
    EXPECT_EQ(status_of("HTTP/1.1 204\r\n\r\n", step), 204);
    EXPECT_EQ(status_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nX: y\r\n\r\n", step), 404);
    EXPECT_EQ(status_of("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", step), 200);
    EXPECT_EQ(status_of("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", step), 101);
    EXPECT_EQ(status_of("HTTP/1.1 200 OK\r\n", step), std::nullopt) << "nothing follows the line yet";
  }
}

TEST(HttpStatus, of_a_good_line_stands_whatever_follows) {
  EXPECT_EQ(status_of("HTTP/1.1 200 OK\r\nX: y\r\nbroken header\r\n\r\n", 1000), 200);
  EXPECT_EQ(status_of("HTTP/1.1 200 OK\r\nX: " + std::string(200000, 'x'), 1000), 200);
}

TEST(HttpStatus, is_not_found_in_garbage) {
  for (const char* garbage :
       {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 abc\r\n\r\n", "\x16\x03\x01", "200 OK\r\n", "HTTP/x"}) {
    HttpStatusReader reader;
    reader.feed(garbage);
    EXPECT_FALSE(reader.status()) << garbage;
    EXPECT_TRUE(reader.garbage().starts_with("the answer is not HTTP: ")) << reader.garbage();
  }
}

TEST(HttpStatus, is_not_sought_forever) {
  HttpStatusReader reader;
  reader.feed("HTTP/1.1 200 ");
  for (int i = 0; i < 20 && reader.garbage().empty(); ++i) {
    reader.feed(std::string(1000, 'x'));
  }
  EXPECT_EQ(reader.garbage(), "no status line in the first 16384 bytes");
}

TEST(HttpStatus, reader_takes_any_bytes) {
  constexpr unsigned kSeed = 9112;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 20000; ++round) {
    std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (auto edits = random() % 4; edits > 0; --edits) {
      answer[random() % answer.size()] = static_cast<char>(random());
    }
    HttpStatusReader reader;
    reader.feed(std::string_view(answer).substr(0, random() % answer.size()));
    reader.feed(answer);
    EXPECT_TRUE(!reader.status() || (*reader.status() >= 0 && *reader.status() <= 999)) << "seed " << kSeed;
  }
}

}  // namespace
}  // namespace phalanx::adapters

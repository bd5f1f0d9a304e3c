// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>

#include "adapters/http/metrics_site.hpp"
#include "adapters/http/server.hpp"
#include "adapters/http_client.hpp"

namespace phalanx::adapters {
namespace {

class HttpServerTest : public testing::Test {
 protected:
  void serve(Router router, HttpLimits limits = {}) {
    auto socket = ListenSocket::tcp(core::parse_endpoint("127.0.0.1:0").value());
    ASSERT_TRUE(socket) << socket.error().message;
    auto server = HttpServer::open(*loop_, std::move(*socket), std::move(router), limits);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }
  HttpClient client() { return HttpClient(*loop_, server_->socket().port()); }
  std::string ask(const std::string& line, const std::string& body = "") { return client().ask(line, body); }

  std::unique_ptr<EventLoop> loop_ = EventLoop::open().value();
  std::unique_ptr<HttpServer> server_;
};

Router echo() {
  Router router;
  router.add("POST", "/echo/*", [](const Request& request, const Reply& reply) {
    std::string query;
    for (const auto& [key, value] : request.query) {
      query += key + "=" + value + ";";
    }
    reply.send({201, "text/plain", request.name + "|" + query + "|" + request.body, ""});
  });
  router.add("GET", "/echo/*", [](const Request&, const Reply& reply) { reply.send({}); });
  return router;
}

TEST_F(HttpServerTest, gives_the_handler_name_query_and_body) {
  serve(echo());
  const std::string answer = ask("POST /echo/web%2d1?a=1&b=x%20y&c", "hello");
  EXPECT_EQ(status_of(answer), 201);
  EXPECT_EQ(body_of(answer), "web-1|a=1;b=x y;c=;|hello");
}

TEST_F(HttpServerTest, takes_a_body_of_many_packets) {
  serve(echo());
  const std::string body(500'000, 'x');
  EXPECT_EQ(body_of(ask("POST /echo/a", body)), "a||" + body);
}

TEST_F(HttpServerTest, serves_several_requests_on_one_connection) {
  serve(echo());
  HttpClient one = client();
  for (int i = 1; i <= 3; ++i) {
    const std::string mark = "number" + std::to_string(i);
    one.send("POST /echo/" + mark + " HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
    EXPECT_TRUE(one.wait_for(mark + "||"));
  }
}

TEST_F(HttpServerTest, an_unknown_path_is_404_and_a_wrong_method_405) {
  serve(echo());
  EXPECT_EQ(status_of(ask("GET /nothing")), 404);
  EXPECT_EQ(status_of(ask("GET /echo/")), 404);
  EXPECT_EQ(status_of(ask("GET /echo/a/b")), 404);
  const std::string refused = ask("DELETE /echo/a");
  EXPECT_EQ(status_of(refused), 405);
  EXPECT_NE(refused.find("Allow: POST, GET"), std::string::npos) << refused;
}

TEST_F(HttpServerTest, head_is_get_without_the_body) {
  serve(metrics_routes({[] { return "phalanx_sent_total 1\n"; }, [] { return "<html></html>"; }}));
  const std::string answer = ask("HEAD /metrics");
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_EQ(body_of(answer), "");
}

TEST_F(HttpServerTest, serves_metrics_and_a_page) {
  serve(metrics_routes({[] { return "phalanx_sent_total 1\n"; }, [] { return "<html></html>"; }}));
  const std::string metrics = ask("GET /metrics");
  EXPECT_NE(metrics.find("Content-Type: text/plain; version=0.0.4"), std::string::npos);
  EXPECT_EQ(body_of(metrics), "phalanx_sent_total 1\n");
  EXPECT_EQ(body_of(ask("GET /")), "<html></html>");
}

TEST_F(HttpServerTest, an_answer_may_come_later) {
  std::optional<Reply> kept;
  Router router;
  router.add("POST", "/slow", [&](const Request&, const Reply& reply) { kept = reply; });
  serve(std::move(router));
  HttpClient one = client();
  one.send("POST /slow HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(run_until(*loop_, [&] { return kept.has_value(); }));
  EXPECT_EQ(one.received(), "");
  kept->send({200, "text/plain", "at last", ""});
  ASSERT_TRUE(one.wait_for_close());
  EXPECT_EQ(body_of(one.received()), "at last");
}

TEST_F(HttpServerTest, a_request_that_is_given_up_is_a_500) {
  std::optional<Reply> kept;
  Router router;
  router.add("GET", "/now", [](const Request&, const Reply&) {});
  router.add("GET", "/later", [&](const Request&, const Reply& reply) { kept = reply; });
  serve(std::move(router));
  EXPECT_EQ(status_of(ask("GET /now")), 500);
  HttpClient one = client();
  one.send("GET /later HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(run_until(*loop_, [&] { return kept.has_value(); }));
  kept.reset();
  ASSERT_TRUE(one.wait_for_close());
  EXPECT_EQ(status_of(one.received()), 500);
}

TEST_F(HttpServerTest, an_answer_to_a_client_that_left_goes_nowhere) {
  std::optional<Reply> kept;
  Router router = echo();
  router.add("GET", "/slow", [&](const Request&, const Reply& reply) { kept = reply; });
  serve(std::move(router));
  HttpClient one = client();
  one.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
  ASSERT_TRUE(run_until(*loop_, [&] { return kept.has_value(); }));
  one.leave();
  kept->send({});
  kept->send({});
  EXPECT_EQ(status_of(ask("GET /echo/a")), 200);
}

Router streaming(std::optional<Stream>& kept) {
  Router router;
  router.add("GET", "/stream", [&kept](const Request&, const Reply& reply) {
    kept = reply.stream("application/x-ndjson");
    kept->write("{\"n\": 0}\n");
  });
  return router;
}

TEST_F(HttpServerTest, a_stream_delivers_each_line_as_it_is_written_and_then_ends) {
  std::optional<Stream> stream;
  serve(streaming(stream));
  HttpClient one = client();
  one.send("GET /stream HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(one.wait_for("{\"n\": 0}\n"));
  EXPECT_NE(one.received().find("Transfer-Encoding: chunked"), std::string::npos);
  stream->write("{\"n\": 1}\n");
  ASSERT_TRUE(one.wait_for("{\"n\": 1}\n"));
  EXPECT_TRUE(stream->open());
  stream.reset();
  ASSERT_TRUE(one.wait_for_close());
  EXPECT_TRUE(one.received().ends_with("0\r\n\r\n"));
}

TEST_F(HttpServerTest, a_reader_that_left_is_noticed_by_the_keep_alive) {
  std::optional<Stream> stream;
  HttpLimits limits;
  limits.keep_alive = std::chrono::milliseconds(20);
  serve(streaming(stream), limits);
  HttpClient one = client();
  one.send("GET /stream HTTP/1.1\r\nHost: test\r\n\r\n");
  ASSERT_TRUE(one.wait_for("{\"n\": 0}\n"));
  one.leave();
  EXPECT_TRUE(run_until(*loop_, [&] { return !stream->open(); }));
  stream->write("into the void\n");
}

TEST_F(HttpServerTest, a_reader_that_falls_behind_is_disconnected) {
  std::optional<Stream> stream;
  serve(streaming(stream));
  HttpClient one = client();
  one.send("GET /stream HTTP/1.1\r\nHost: test\r\n\r\n");
  ASSERT_TRUE(one.wait_for("{\"n\": 0}\n"));
  stream->write(std::string(Stream::kMaxWaiting, 'x'));
  stream->write(std::string(Stream::kMaxWaiting, 'x'));
  EXPECT_TRUE(run_until(*loop_, [&] { return !stream->open(); }));
}

TEST_F(HttpServerTest, ends_with_answers_and_streams_open) {
  std::optional<Stream> stream;
  std::optional<Reply> kept;
  Router router = streaming(stream);
  router.add("GET", "/slow", [&](const Request&, const Reply& reply) { kept = reply; });
  serve(std::move(router));
  HttpClient reader = client();
  HttpClient waiter = client();
  reader.send("GET /stream HTTP/1.1\r\nHost: test\r\n\r\n");
  waiter.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
  ASSERT_TRUE(reader.wait_for("{\"n\": 0}\n"));
  ASSERT_TRUE(run_until(*loop_, [&] { return kept.has_value(); }));
  server_.reset();
  ASSERT_TRUE(waiter.wait_for_close());
  EXPECT_EQ(status_of(waiter.received()), 503);
  EXPECT_TRUE(reader.wait_for_close());
  EXPECT_FALSE(stream->open());
  stream->write("too late\n");
  kept->send({});
}

TEST_F(HttpServerTest, ends_after_its_loop_has_ended) {
  std::optional<Stream> stream;
  serve(streaming(stream));
  HttpClient reader = client();
  reader.send("GET /stream HTTP/1.1\r\nHost: test\r\n\r\n");
  ASSERT_TRUE(reader.wait_for("{\"n\": 0}\n"));
  loop_->stop(0);
  EXPECT_EQ(loop_->run(), 0);
  stream->write("the last word\n");
  server_.reset();
  EXPECT_FALSE(stream->open());
  EXPECT_NE(reader.received().find("the last word"), std::string::npos);
}

TEST_F(HttpServerTest, a_body_beyond_the_limit_is_refused) {
  HttpLimits limits;
  limits.body = 1000;
  serve(echo(), limits);
  HttpClient announced = client();
  announced.send("POST /echo/a HTTP/1.1\r\nHost: test\r\nContent-Length: 1001\r\n\r\n");
  ASSERT_TRUE(announced.wait_for("limit of 1000 bytes"));
  EXPECT_EQ(status_of(announced.received()), 413);

  HttpClient endless = client();
  endless.send("POST /echo/a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
  while (endless.send("100\r\n" + std::string(256, 'x') + "\r\n")) {
    loop_->run_once(std::chrono::milliseconds(1));
  }
  EXPECT_TRUE(endless.wait_for_close());
  EXPECT_EQ(body_of(ask("POST /echo/a", std::string(1000, 'y'))).size(), 1003u);
}

TEST_F(HttpServerTest, a_header_beyond_the_limit_is_refused) {
  serve(echo());
  HttpClient one = client();
  one.send("GET /echo/a HTTP/1.1\r\nHost: test\r\nX-Long: " + std::string(100'000, 'x') + "\r\n\r\n");
  ASSERT_TRUE(one.wait_for_close());
  EXPECT_NE(status_of(one.received()), 200);
}

TEST_F(HttpServerTest, nonsense_does_no_harm) {
  serve(echo());
  for (const std::string nonsense :
       {"\r\n\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x01\x01\xfc", "GET / HTTP/9.9\r\n\r\n",
        "POST /echo/a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET /%00%ff%zz?%=%&&&= HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n"}) {
    HttpClient one = client();
    one.send(nonsense);
    loop_->run_once(std::chrono::milliseconds(20));
    loop_->run_once(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(status_of(ask("GET /echo/a")), 200);
}

TEST_F(HttpServerTest, a_silent_connection_is_closed) {
  HttpLimits limits;
  limits.idle = std::chrono::seconds(1);
  serve(echo(), limits);
  HttpClient one = client();
  one.send("GET /echo/a HT");
  EXPECT_TRUE(one.wait_for_close());
}

}  // namespace
}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "adapters/http/api.hpp"
#include "adapters/http_client.hpp"

namespace phalanx::adapters {
namespace {

using nlohmann::json;

class ApiTest : public testing::Test {
 protected:
  void SetUp() override {
    ApiHandlers handlers;
    handlers.status = [] { return json{{"node", "edge-a"}}; };
    handlers.services = [] { return json::array({"s"}); };
    handlers.backends = [] { return json::array({"b"}); };
    handlers.slots = [](const std::string& service) -> Result<json> {
      return service == "web" ? Result<json>(json{{"service", "web"}}) : fail("no service is called that");
    };
    handlers.route = [](std::string_view lines) {
      return Result<std::string>("<" + std::string(lines) + ">");
    };
    handlers.events = [this](std::optional<std::uint64_t> since_ns) {
      since_ns_ = since_ns;
      return std::vector<std::string>{R"({"type": "past"})"};
    };
    handlers.follow = [this](const Stream& stream) { follower_ = stream; };
    handlers.reload = [this](const ApiHandlers::ReloadDone& done) { reload_done_ = done; };
    handlers.speak = [this](const std::string& backend, const std::optional<std::string>& service,
                            core::Word word) {
      asked_ = backend + "," + service.value_or("-") + "," + std::to_string(static_cast<int>(word));
      return backend == "web-1" ? Result<void>() : fail("no backend is called that");
    };
    handlers.drain_node = [this](bool drained) -> Result<void> {
      asked_ = drained ? "drain" : "undrain";
      return drained ? fail("the node announces nothing") : Result<void>();
    };
    handlers.set_weight = [this](const std::string& backend, const std::optional<std::string>& service,
                                 std::optional<std::uint16_t> weight, const ApiHandlers::ReloadDone& done) {
      asked_ = backend + "," + service.value_or("-") + "," + (weight ? std::to_string(*weight) : "config");
      done(backend == "web-1" ? Result<json>(json{{"generation", 5}}) : fail("no backend is called that"));
    };
    auto socket = ListenSocket::unix_domain(scratch_ / "api.sock");
    ASSERT_TRUE(socket) << socket.error().message;
    server_ = HttpServer::open(*loop_, std::move(*socket), api_routes(std::move(handlers))).value();
  }

  std::string ask(const std::string& line, const std::string& body = "") {
    return HttpClient(*loop_, scratch_ / "api.sock").ask(line, body);
  }
  json document(const std::string& line) { return json::parse(body_of(ask(line))); }

  ScratchDirectory scratch_;
  std::unique_ptr<EventLoop> loop_ = EventLoop::open().value();
  std::optional<std::uint64_t> since_ns_;
  std::optional<Stream> follower_;
  ApiHandlers::ReloadDone reload_done_;
  std::string asked_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(ApiTest, gives_documents) {
  EXPECT_EQ(document("GET /v1/status"), json({{"node", "edge-a"}}));
  EXPECT_EQ(document("GET /v1/services"), json::array({"s"}));
  EXPECT_EQ(document("GET /v1/backends"), json::array({"b"}));
  EXPECT_EQ(document("GET /v1/slots/web"), json({{"service", "web"}}));
}

TEST_F(ApiTest, an_unknown_service_is_404_with_the_sentence) {
  EXPECT_EQ(status_of(ask("GET /v1/slots/nope")), 404);
  EXPECT_EQ(document("GET /v1/slots/nope"), json({{"error", "no service is called that"}}));
}

TEST_F(ApiTest, routes_the_lines_of_the_body) {
  EXPECT_EQ(body_of(ask("POST /v1/route", "one\ntwo\n")), "<one\ntwo\n>");
}

TEST_F(ApiTest, gives_past_events_since_a_time) {
  EXPECT_EQ(body_of(ask("GET /v1/events")), "{\"type\": \"past\"}\n");
  EXPECT_FALSE(since_ns_);
  EXPECT_EQ(status_of(ask("GET /v1/events?since=1970-01-01T00:00:01Z")), 200);
  EXPECT_EQ(since_ns_, 1'000'000'000u);
  EXPECT_EQ(status_of(ask("GET /v1/events?since=yesterday")), 400);
}

TEST_F(ApiTest, follows_events) {
  HttpClient reader(*loop_, scratch_ / "api.sock");
  reader.send("GET /v1/events?follow=1 HTTP/1.1\r\nHost: test\r\n\r\n");
  ASSERT_TRUE(reader.wait_for("past"));
  ASSERT_TRUE(follower_);
  follower_->write("{\"type\": \"new\"}\n");
  EXPECT_TRUE(reader.wait_for("new"));
}

TEST_F(ApiTest, answers_a_reload_when_it_is_over) {
  for (const bool works : {true, false}) {
    HttpClient operator_(*loop_, scratch_ / "api.sock");
    operator_.send(
        "POST /v1/reload HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    ASSERT_TRUE(run_until(*loop_, [&] { return static_cast<bool>(reload_done_); }));
    EXPECT_EQ(operator_.received(), "");
    reload_done_(works ? Result<json>(json{{"generation", 4}}) : fail("edge.json:3: /node: no name"));
    reload_done_ = nullptr;
    ASSERT_TRUE(operator_.wait_for_close());
    EXPECT_EQ(status_of(operator_.received()), works ? 200 : 409);
    EXPECT_NE(operator_.received().find(works ? "\"generation\":4" : "edge.json:3: /node: no name"),
              std::string::npos);
  }
}

TEST_F(ApiTest, passes_on_the_operators_words) {
  for (const auto& [word, meaning] :
       std::vector<std::pair<std::string, core::Word>>{{"disable", core::Word::disable},
                                                       {"enable", core::Word::enable},
                                                       {"drain", core::Word::drain},
                                                       {"undrain", core::Word::undrain}}) {
    const std::string number = std::to_string(static_cast<int>(meaning));
    const std::string target = "/v1/backends/web-1/" + word;
    EXPECT_EQ(document("POST " + target), json({{"backend", "web-1"}, {"word", word}}));
    EXPECT_EQ(asked_, "web-1,-," + number);
    EXPECT_EQ(status_of(ask("POST " + target + "?service=web")), 200);
    EXPECT_EQ(asked_, "web-1,web," + number);
    EXPECT_EQ(status_of(ask("POST /v1/backends/nope/" + word)), 404);
    EXPECT_EQ(status_of(ask("GET " + target)), 405);
  }
  EXPECT_EQ(status_of(ask("POST /v1/backends/web-1/dismiss")), 404);
}

TEST_F(ApiTest, passes_on_the_operators_word_about_the_node) {
  EXPECT_EQ(document("POST /v1/node/undrain"), (json{{"drained", false}}));
  EXPECT_EQ(asked_, "undrain");
  const std::string refusal = ask("POST /v1/node/drain");
  EXPECT_EQ(asked_, "drain");
  EXPECT_NE(refusal.find(" 409 "), std::string::npos) << refusal;
  EXPECT_EQ(json::parse(body_of(refusal)), (json{{"error", "the node announces nothing"}}));
}

TEST_F(ApiTest, sets_a_weight_and_gives_it_back_to_the_configuration) {
  EXPECT_EQ(document("POST /v1/backends/web-1/weight?value=0"), json({{"generation", 5}}));
  EXPECT_EQ(asked_, "web-1,-,0");
  EXPECT_EQ(status_of(ask("POST /v1/backends/web-1/weight?value=65535&service=web")), 200);
  EXPECT_EQ(asked_, "web-1,web,65535");
  EXPECT_EQ(status_of(ask("POST /v1/backends/web-1/weight?value=config")), 200);
  EXPECT_EQ(asked_, "web-1,-,config");
  EXPECT_EQ(status_of(ask("POST /v1/backends/nope/weight?value=1")), 409);
}

TEST_F(ApiTest, a_weight_that_is_none_asks_nobody) {
  for (const char* wrong : {"", "?value=", "?value=-1", "?value=65536", "?value=1.5", "?value=10x",
                            "?value=%201", "?value=Config"}) {
    const std::string answer = ask(std::string("POST /v1/backends/web-1/weight") + wrong);
    EXPECT_EQ(status_of(answer), 400) << wrong;
    EXPECT_NE(body_of(answer).find("neither a number from 0 to 65535 nor"), std::string::npos) << wrong;
  }
  EXPECT_EQ(asked_, "");
}

}  // namespace
}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "adapters/http/api.hpp"

#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "adapters/view/timestamp.hpp"
#include "adapters/view/views.hpp"

namespace phalanx::adapters {
namespace {

using nlohmann::json;

constexpr const char* kLines = "application/x-ndjson";

Response document(const json& value) {
  return {200, "application/json", write_json(value) + "\n", ""};
}

std::optional<std::string> parameter(const Request& request, const std::string& key) {
  const auto found = request.query.find(key);
  return found != request.query.end() ? std::optional(found->second) : std::nullopt;
}

void answer_events(const ApiHandlers& handlers, const Request& request, const Reply& reply) {
  std::optional<std::uint64_t> since_ns;
  if (const auto since = parameter(request, "since")) {
    since_ns = parse_time(*since);
    if (!since_ns) {
      reply.send(error_response(
          400, "read the events since \"" + *since + "\": that is no time; write 2026-03-01T12:00:00Z"));
      return;
    }
  }
  std::string past;
  for (const std::string& event : handlers.events(since_ns)) {
    past += event + "\n";
  }
  if (parameter(request, "follow").value_or("0") == "0") {
    reply.send({200, kLines, std::move(past), ""});
    return;
  }
  Stream stream = reply.stream(kLines);
  stream.write(past);
  handlers.follow(stream);
}

void answer_reload(const ApiHandlers& handlers, const Reply& reply) {
  handlers.reload([reply](const Result<json>& outcome) {
    // 409: the request is well formed, the configuration file is not, or does not fit.
    reply.send(outcome ? document(*outcome) : error_response(409, outcome.error().message));
  });
}

void answer_word(const ApiHandlers& handlers, const char* word, core::Word meaning, const Request& request,
                 const Reply& reply) {
  const auto done = handlers.speak(request.name, parameter(request, "service"), meaning);
  reply.send(done ? document({{"backend", request.name}, {"word", word}})
                  : error_response(404, done.error().message));
}

// A whole number from 0 to 65535.
std::optional<std::uint16_t> parse_weight(const std::string& text) {
  std::uint16_t weight = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, weight);
  return error == std::errc{} && stop == end ? std::optional(weight) : std::nullopt;
}

void answer_weight(const ApiHandlers& handlers, const Request& request, const Reply& reply) {
  const std::string value = parameter(request, "value").value_or("");
  const auto weight = parse_weight(value);
  if (!weight && value != "config") {
    reply.send(error_response(400, "set the weight of " + request.name + " to \"" + value +
                                       "\": that is neither a number from 0 to 65535 nor \"config\""));
    return;
  }
  handlers.set_weight(
      request.name, parameter(request, "service"), weight, [reply](const Result<json>& outcome) {
        reply.send(outcome ? document(*outcome) : error_response(409, outcome.error().message));
      });
}

void add_words(Router& router, const std::shared_ptr<const ApiHandlers>& handlers) {
  static constexpr std::pair<const char*, core::Word> kWords[] = {{"disable", core::Word::disable},
                                                                  {"enable", core::Word::enable},
                                                                  {"drain", core::Word::drain},
                                                                  {"undrain", core::Word::undrain}};
  for (const auto& [word, meaning] : kWords) {
    router.add("POST", std::string("/v1/backends/*/") + word,
               [handlers, word = word, meaning = meaning](const Request& request, const Reply& reply) {
                 answer_word(*handlers, word, meaning, request, reply);
               });
  }
  router.add("POST", "/v1/backends/*/weight", [handlers](const Request& request, const Reply& reply) {
    answer_weight(*handlers, request, reply);
  });
}

void add_node_words(Router& router, const std::shared_ptr<const ApiHandlers>& handlers) {
  for (const bool drained : {true, false}) {
    router.add(
        "POST", std::string("/v1/node/") + (drained ? "drain" : "undrain"),
        [handlers, drained](const Request&, const Reply& reply) {
          const auto done = handlers->drain_node(drained);
          reply.send(done ? document({{"drained", drained}}) : error_response(409, done.error().message));
        });
  }
}

void add_documents(Router& router, const std::shared_ptr<const ApiHandlers>& handlers) {
  router.add("GET", "/v1/status",
             [handlers](const Request&, const Reply& reply) { reply.send(document(handlers->status())); });
  router.add("GET", "/v1/services",
             [handlers](const Request&, const Reply& reply) { reply.send(document(handlers->services())); });
  router.add("GET", "/v1/backends",
             [handlers](const Request&, const Reply& reply) { reply.send(document(handlers->backends())); });
  router.add("GET", "/v1/slots/*", [handlers](const Request& request, const Reply& reply) {
    const auto slots = handlers->slots(request.name);
    reply.send(slots ? document(*slots) : error_response(404, slots.error().message));
  });
  router.add("POST", "/v1/route", [handlers](const Request& request, const Reply& reply) {
    auto lines = handlers->route(request.body);
    reply.send(lines ? Response{200, kLines, std::move(*lines), ""}
                     : error_response(500, lines.error().message));
  });
}

}  // namespace

Router api_routes(ApiHandlers given) {
  const auto handlers = std::make_shared<const ApiHandlers>(std::move(given));
  Router router;
  add_documents(router, handlers);
  router.add("GET", "/v1/events", [handlers](const Request& request, const Reply& reply) {
    answer_events(*handlers, request, reply);
  });
  router.add("POST", "/v1/reload",
             [handlers](const Request&, const Reply& reply) { answer_reload(*handlers, reply); });
  add_words(router, handlers);
  add_node_words(router, handlers);
  return router;
}

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "agent/serve.hpp"

#include <csignal>
#include <utility>

#include "adapters/http/server.hpp"
#include "adapters/loop/event_loop.hpp"
#include "agent/agent.hpp"
#include "agent/agent_report.hpp"

namespace phalanx::agent {
namespace {

constexpr int kOk = 200;
constexpr int kUnavailable = 503;

adapters::Response answer(const std::string& pin_directory) {
  const Result<Status> known = status(pin_directory);
  if (!known) {
    return adapters::error_response(kUnavailable, known.error().message);
  }
  return {kOk, "application/json", to_json_text(*known), ""};
}

}  // namespace

Result<void> serve(const std::string& pin_directory, const core::Endpoint& endpoint, void (*ready)()) {
  auto loop = adapters::EventLoop::open();
  if (!loop) {
    return Failure(loop.error());
  }
  auto socket = adapters::ListenSocket::tcp(endpoint);
  if (!socket) {
    return Failure(socket.error());
  }
  adapters::Router router;
  router.add("GET", "/v1/status", [&pin_directory](const adapters::Request&, const adapters::Reply& reply) {
    reply.send(answer(pin_directory));
  });
  auto server = adapters::HttpServer::open(**loop, std::move(*socket), std::move(router));
  if (!server) {
    return Failure(server.error());
  }
  const auto stop = [&loop] { (*loop)->stop(0); };
  const auto terminated = (*loop)->on_signal(SIGTERM, stop);
  const auto interrupted = (*loop)->on_signal(SIGINT, stop);
  ready();
  (*loop)->run();
  return {};
}

}  // namespace phalanx::agent

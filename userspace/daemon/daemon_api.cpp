// SPDX-License-Identifier: Apache-2.0
// What the daemon answers: the API's handlers, the metrics and the page, all from the maps and the applied
// state.
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "adapters/http/listen_socket.hpp"
#include "adapters/view/route.hpp"
#include "adapters/view/status_page.hpp"
#include "adapters/view/timestamp.hpp"
#include "daemon/daemon.hpp"
#include "daemon/named_backends.hpp"

namespace phalanx::daemon {

Result<Daemon::Listening> Daemon::listen(const core::Config& config) const {
  auto api = adapters::ListenSocket::unix_domain(options_.socket);
  if (!api) {
    return Failure(api.error());
  }
  Listening listening{std::move(*api), std::nullopt};
  if (config.node.http) {
    auto metrics = adapters::ListenSocket::tcp(*config.node.http);
    if (!metrics) {
      return Failure(metrics.error());
    }
    listening.metrics.emplace(std::move(*metrics));
  }
  return listening;
}

Result<void> Daemon::serve(Listening listening) {
  auto api =
      adapters::HttpServer::open(*loop_, std::move(listening.api), adapters::api_routes(api_handlers()));
  if (!api) {
    return Failure(api.error());
  }
  api_ = std::move(*api);
  if (listening.metrics) {
    auto metrics = adapters::HttpServer::open(*loop_, std::move(*listening.metrics),
                                              adapters::metrics_routes(metrics_site()));
    if (!metrics) {
      return Failure(metrics.error());
    }
    metrics_ = std::move(*metrics);
  }
  return {};
}

Result<std::unique_ptr<adapters::HttpServer>> Daemon::open_metrics(const core::Endpoint& endpoint) {
  auto socket = adapters::ListenSocket::tcp(endpoint);
  if (!socket) {
    return Failure(socket.error());
  }
  return adapters::HttpServer::open(*loop_, std::move(*socket), adapters::metrics_routes(metrics_site()));
}

adapters::ApiHandlers Daemon::api_handlers() {
  adapters::ApiHandlers handlers;
  handlers.status = [this] {
    return adapters::status_view(node_->engine().applied(), node_->maps(), status_inputs());
  };
  handlers.services = [this] { return adapters::services_view(node_->engine().applied(), node_->maps()); };
  handlers.backends = [this] { return adapters::backends_view(node_->engine().applied(), node_->maps()); };
  handlers.slots = [this](const std::string& service) -> Result<nlohmann::json> {
    auto view = adapters::slots_view(node_->engine().applied(), node_->maps(), service);
    if (!view) {
      return fail("show the slots of " + service + ": no service has that name");
    }
    return std::move(*view);
  };
  handlers.route = [this](std::string_view lines) { return route(lines); };
  handlers.events = [this](std::optional<std::uint64_t> since_ns) { return events(since_ns); };
  handlers.follow = [this](adapters::Stream stream) { follow(std::move(stream)); };
  handlers.reload = [this](ReloadDone done) { reload(std::move(done)); };
  handlers.speak = [this](const std::string& backend, const std::optional<std::string>& service,
                          core::Word word) { return speak(backend, service, word); };
  handlers.drain_node = [this](bool drained) { return drain_node(drained); };
  handlers.set_weight = [this](const std::string& backend, const std::optional<std::string>& service,
                               std::optional<std::uint16_t> weight,
                               ReloadDone done) { set_weight(backend, service, weight, std::move(done)); };
  return handlers;
}

adapters::MetricsSite Daemon::metrics_site() {
  adapters::MetricsSite site;
  site.metrics = [this] {
    return adapters::metrics_text(node_->engine().applied(), node_->maps(), status_inputs(), figures());
  };
  site.page = [this] {
    return adapters::status_page(node_->engine().applied(), node_->maps(), status_inputs());
  };
  return site;
}

adapters::DaemonFigures Daemon::figures() const {
  const core::ProbeCounts& probes = node_->engine().probe_counts();
  const FlowSweeper& sweeper = node_->controller().sweeper();
  return {.start_time_s = std::chrono::duration<double>(started_.time_since_epoch()).count(),
          .probes_passed = probes.pass,
          .probes_failed = probes.fail,
          .probes_inconclusive = probes.inconclusive,
          .health_changes = node_->controller().health_changes(),
          .reloads_applied = reloads_applied_,
          .reloads_refused = reloads_refused_,
          .flows = {.occupancy = sweeper.occupancy(),
                    .limit = node_->engine().applied().config.node.limits.flows,
                    .expired = sweeper.expired(),
                    .evicted = sweeper.evicted(),
                    .memory_bytes = node_->maps().flow_table_memory()}};
}

adapters::StatusInputs Daemon::status_inputs() const {
  adapters::StatusInputs inputs{
      .version = PHALANX_VERSION,
      .interfaces = {},
      .daemon = {.running = true, .pid = ::getpid(), .liveness_is_stale = node_->maps().liveness_is_stale()}};
  for (const adapters::XdpDescription& interface : node_->interfaces()) {
    inputs.interfaces.push_back({interface.name, interface.mode, interface.attach, interface.reason,
                                 node_->maps().tag_of(interface.program)});
  }
  if (announcement_) {
    inputs.announcement = announcement_->status();
  }
  return inputs;
}

Result<std::string> Daemon::route(std::string_view lines) const {
  const auto routes = adapters::Route::open(node_->engine().applied(), node_->maps());
  if (!routes) {
    return Failure(routes.error());
  }
  return routes->answer_lines(lines);
}

Result<void> Daemon::speak(const std::string& backend, const std::optional<std::string>& service,
                           core::Word word) {
  const auto meant = named_backends(node_->engine().applied(), backend, service);
  if (!meant) {
    return Failure(meant.error());
  }
  for (const NamedBackend& named : *meant) {
    if (auto spoken = node_->controller().speak(named.service, named.endpoint, word); !spoken) {
      return spoken;
    }
  }
  return {};
}

Result<void> Daemon::drain_node(bool drained) {
  if (drained && !node_->engine().applied().config.node.announce) {
    return fail(
        "drain the node: node.announce is not configured, so there are no routes that Phalanx could "
        "withdraw; "
        "configure it, or withdraw them where they are announced");
  }
  auto said = node_->controller().drain_node(drained);
  announcement_->look();
  return said;
}

// A weight changes the base: the same configuration is proposed anew, with other overrides.
void Daemon::set_weight(const std::string& backend, const std::optional<std::string>& service,
                        std::optional<std::uint16_t> weight, ReloadDone done) {
  const core::AppliedState& applied = node_->engine().applied();
  const auto meant = named_backends(applied, backend, service);
  if (!meant) {
    return done(Failure(meant.error()));
  }
  core::Overrides overrides = applied.overrides;
  for (const NamedBackend& named : *meant) {
    overrides[{named.service, named.endpoint}].weight = weight;
  }
  std::erase_if(overrides, [](const auto& override) { return override.second.says_nothing(); });
  if (builder_->busy()) {
    return done(fail("weight " + backend + ": a reload is under way; try again when it is over"));
  }
  auto proposal = node_->propose(applied.config, overrides);
  if (!proposal) {
    return done(Failure(proposal.error()));
  }
  builder_->build(std::move(*proposal), [this, done = std::move(done)](const core::Proposal& built) {
    if (auto finished = node_->finish(built); !finished) {
      return done(Failure(finished.error()));
    }
    done(nlohmann::json{{"generation", node_->engine().applied().generation}});
  });
}

std::vector<std::string> Daemon::events(std::optional<std::uint64_t> since_ns) const {
  std::vector<std::string> kept;
  for (const EventLog::Line& line : events_->lines()) {
    if (!since_ns || line.time_ns >= *since_ns) {
      kept.push_back(line.text);
    }
  }
  return kept;
}

void Daemon::follow(adapters::Stream stream) {
  // The follower needs its own id to leave.
  auto id = std::make_shared<std::uint64_t>(0);
  *id = events_->follow([this, id, stream](const std::string& line) mutable {
    if (stream.open()) {
      stream.write(line + "\n");
    } else {
      events_->unfollow(*id);
    }
  });
}

}  // namespace phalanx::daemon

// SPDX-License-Identifier: Apache-2.0
// How the daemon starts, runs and reloads. What it answers over HTTP is in daemon_api.cpp.
#include "daemon/daemon.hpp"

#include <phalanx.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <utility>

#include "adapters/bird/bird_announcer.hpp"
#include "adapters/bpf/pin_directory.hpp"
#include "adapters/config/config_file.hpp"

namespace phalanx::daemon {

namespace {

constexpr std::size_t kEventsKept = 10'000;

// A second daemon is told who the first one is, before it stumbles over that one's socket, which says less.
// The lock is free again on return: the node takes it for good.
Result<void> refuse_beside_another_daemon(const std::string& pin_dir) {
  auto directory = adapters::PinDirectory::open(pin_dir, adapters::PinDirectory::IfMissing::fail);
  if (!directory) {
    return {};  // the node makes it, or says what is wrong with it
  }
  return directory->try_lock();
}

std::string generation_of(const Node& node) {
  return std::to_string(node.engine().applied().generation);
}

std::string errors_of(const adapters::ParsedConfig& parsed, const std::string& file) {
  std::string text;
  for (const adapters::Problem& problem : parsed.problems) {
    if (!problem.warning) {
      text += (text.empty() ? "" : "\n") + adapters::to_string(problem, file);
    }
  }
  return text;
}

}  // namespace

Daemon::Daemon(DaemonOptions options) : options_(std::move(options)) {}

Result<std::unique_ptr<Daemon>> Daemon::start(DaemonOptions options, const core::Config& config) {
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(options)));
  auto loop = adapters::EventLoop::open();
  if (!loop) {
    return Failure(loop.error());
  }
  daemon->loop_ = std::move(*loop);
  daemon->events_ = std::make_unique<EventLog>(config.node.name, kEventsKept);
  auto builder = TableBuilder::open(*daemon->loop_);
  if (!builder) {
    return Failure(builder.error());
  }
  daemon->builder_ = std::move(*builder);
  daemon->handle_signals();
  daemon->liveness_timer_ = daemon->loop_->timer([raw = daemon.get()] { raw->mark_liveness(); });

  // Whatever can be refused comes before the node, so that a refusal changes nothing.
  if (auto alone = refuse_beside_another_daemon(daemon->options_.pin_dir); !alone) {
    return Failure(alone.error());
  }
  auto listening = daemon->listen(config);
  if (!listening) {
    return Failure(listening.error());
  }
  auto node = Node::start(*daemon->loop_, daemon->options_.pin_dir, config,
                          [log = daemon->events_.get()](const core::Announce& event) { log->add(event); });
  if (!node) {
    return Failure(node.error());
  }
  daemon->node_ = std::move(*node);
  for (const std::string& warning : daemon->node_->backends_without_next_hop()) {
    spdlog::warn("{}", warning);
  }
  auto prober = adapters::LoopProber::open(
      *daemon->loop_, [controller = &daemon->node_->controller()](ports::ProbeOutcome outcome) {
        controller->handle(
            core::ProbeFinished{outcome.attempt, outcome.verdict, std::move(outcome.reason), outcome.heard});
      });
  if (!prober) {
    return Failure(prober.error());
  }
  daemon->prober_ = std::move(*prober);
  daemon->node_->controller().start_probing(*daemon->prober_);
  daemon->announcement_ = std::make_unique<AnnouncementKeeper>(*daemon->loop_, daemon->node_->adopted(),
                                                               daemon->announcement_world());
  daemon->announcement_->configure(daemon->node_->engine().applied().config.node.announce);
  if (auto serving = daemon->serve(std::move(*listening)); !serving) {
    return Failure(serving.error());
  }
  daemon->announce(
      "", "running",
      (daemon->node_->adopted() ? "adopted what was pinned, generation " : "loaded, generation ") +
          generation_of(*daemon->node_));
  return daemon;
}

int Daemon::run() {
  sd_notify(0, "READY=1");
  mark_liveness();
  const int code = loop_->run();
  sd_notify(0, "STOPPING=1");
  announce("running", "stopped", "on request");
  if (node_->engine().applied().config.node.on_exit == core::OnExit::detach) {
    if (auto removed = node_->take_down(); !removed) {
      spdlog::error("{}", removed.error().message);
      return 1;
    }
  }
  return code;
}

void Daemon::mark_liveness() {
  node_->mark_liveness();
  liveness_timer_.arm(std::chrono::steady_clock::now() + std::chrono::milliseconds(PHX_LIVENESS_MARK_MS));
}

void Daemon::handle_signals() {
  signals_.push_back(loop_->on_signal(SIGTERM, [this] { stop(); }));
  signals_.push_back(loop_->on_signal(SIGINT, [this] { stop(); }));
  signals_.push_back(loop_->on_signal(SIGHUP, [this] {
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
               static_cast<unsigned long long>(std::chrono::duration_cast<std::chrono::microseconds>(
                                                   std::chrono::steady_clock::now().time_since_epoch())
                                                   .count()));
    reload([](const Result<nlohmann::json>&) { sd_notify(0, "READY=1"); });
  }));
}

// Routes stay where the program does: packets flow on by the last good state, and the next daemon finds
// everything as it was. A guard sees to it that this does not last for ever.
void Daemon::stop() {
  const bool detaches =
      node_ && node_->engine().applied().config.node.on_exit == core::OnExit::detach && announcement_;
  if (!detaches || stopping_) {
    return loop_->stop(0);
  }
  stopping_ = true;
  announcement_->withdraw_for_stop([this] { loop_->stop(0); });
}

AnnouncementKeeper::World Daemon::announcement_world() {
  return {.facts =
              [this] {
                const core::Engine& engine = node_->engine();
                return core::NodeFacts{.attached = node_->attached(),
                                       .in_doubt = core::in_doubt(engine),
                                       .backends_up = core::backends_up(engine),
                                       .turn = core::probe_turn(engine),
                                       .drained = engine.applied().node_drained,
                                       .stopping = false};
              },
          .listener = [log = events_.get()](const core::Announce& event) { log->add(event); },
          .make =
              [this](const core::AnnounceSettings& settings, ports::Announcer::Sink sink) {
                return std::make_unique<adapters::BirdAnnouncer>(
                    *loop_, settings, adapters::BirdAnnouncer::WithoutFallback::preferred, std::move(sink));
              }};
}

void Daemon::reload(ReloadDone done) {
  if (builder_->busy()) {
    return refuse_reload(done, "reload: another reload is under way; try again when it is over");
  }
  auto parsed = adapters::read_config(options_.config_file);
  if (!parsed) {
    return refuse_reload(done, parsed.error().message);
  }
  if (!parsed->config) {
    return refuse_reload(done, errors_of(*parsed, options_.config_file));
  }
  auto proposal = node_->propose(*parsed->config, node_->engine().applied().overrides);
  if (!proposal) {
    return refuse_reload(done, proposal.error().message);
  }
  const bool metrics_moved = parsed->config->node.http != node_->engine().applied().config.node.http;
  std::unique_ptr<adapters::HttpServer> metrics;
  if (metrics_moved && parsed->config->node.http) {
    auto opened = open_metrics(*parsed->config->node.http);
    if (!opened) {
      return refuse_reload(done, opened.error().message);
    }
    metrics = std::move(*opened);
  }
  // std::function wants what it holds to be copyable.
  auto moved_metrics = std::make_shared<std::unique_ptr<adapters::HttpServer>>(std::move(metrics));
  builder_->build(std::move(*proposal),
                  [this, moved_metrics, metrics_moved, done = std::move(done)](const core::Proposal& built) {
                    finish_reload(built, std::move(*moved_metrics), metrics_moved, done);
                  });
}

void Daemon::finish_reload(const core::Proposal& proposal, std::unique_ptr<adapters::HttpServer> metrics,
                           bool metrics_moved, ReloadDone done) {
  if (auto finished = node_->finish(proposal); !finished) {
    return refuse_reload(done, finished.error().message);
  }
  if (metrics_moved) {
    metrics_ = std::move(metrics);
  }
  announcement_->configure(node_->engine().applied().config.node.announce);
  ++reloads_applied_;
  done(nlohmann::json{{"generation", node_->engine().applied().generation}});
}

void Daemon::refuse_reload(const ReloadDone& done, const std::string& why) {
  ++reloads_refused_;
  events_->add({.time = std::chrono::system_clock::now(),
                .type = "config",
                .service = {},
                .backend = {},
                .from = "generation " + generation_of(*node_),
                .to = "generation " + generation_of(*node_),
                .reason = "configuration refused: " + why});
  done(fail(why));
}

void Daemon::announce(const std::string& from, const std::string& to, const std::string& reason) {
  events_->add({.time = std::chrono::system_clock::now(),
                .type = "daemon",
                .service = {},
                .backend = {},
                .from = from,
                .to = to,
                .reason = reason});
}

}  // namespace phalanx::daemon

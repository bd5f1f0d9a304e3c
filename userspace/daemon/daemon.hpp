// SPDX-License-Identifier: Apache-2.0
// phalanxd: the node, its probes, its API and its metrics on one loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/http/api.hpp"
#include "adapters/http/listen_socket.hpp"
#include "adapters/http/metrics_site.hpp"
#include "adapters/http/server.hpp"
#include "adapters/loop/event_loop.hpp"
#include "adapters/probe/loop_prober.hpp"
#include "adapters/view/metrics.hpp"
#include "adapters/view/views.hpp"
#include "core/config.hpp"
#include "core/result.hpp"
#include "daemon/announcement_keeper.hpp"
#include "daemon/event_log.hpp"
#include "daemon/node.hpp"
#include "daemon/table_builder.hpp"

namespace phalanx::daemon {

struct DaemonOptions {
  std::string config_file;
  std::string pin_dir;
  std::string socket;
};

class Daemon {
 public:
  // Brings the node up with `config`, which was read from options.config_file, and begins to probe and to
  // serve. Fails with a sentence; what Node::start says about what is left behind then holds.
  static Result<std::unique_ptr<Daemon>> start(DaemonOptions options, const core::Config& config);

  // Until SIGTERM or SIGINT; the exit code. SIGHUP reloads. Traffic flows on afterwards, unless node.on_exit
  // says "detach": then the routes are withdrawn first, and node.announce.withdraw_wait is waited for, which
  // a second signal cuts short.
  int run();

 private:
  using ReloadDone = adapters::ApiHandlers::ReloadDone;

  explicit Daemon(DaemonOptions options);

  // Whoever asks while the node starts waits in the sockets' queues: there is nothing to answer from yet.
  struct Listening {
    adapters::ListenSocket api;
    std::optional<adapters::ListenSocket> metrics;
  };
  Result<Listening> listen(const core::Config& config) const;
  Result<void> serve(Listening listening);
  Result<std::unique_ptr<adapters::HttpServer>> open_metrics(const core::Endpoint& endpoint);
  void handle_signals();
  void mark_liveness();
  void stop();
  AnnouncementKeeper::World announcement_world();

  // Reads the file again and applies it; `done` once, with the new generation or with why nothing changed.
  void reload(ReloadDone done);
  void finish_reload(const core::Proposal& proposal, std::unique_ptr<adapters::HttpServer> metrics,
                     bool metrics_moved, ReloadDone done);
  void refuse_reload(const ReloadDone& done, const std::string& why);
  adapters::DaemonFigures figures() const;

  adapters::ApiHandlers api_handlers();
  adapters::MetricsSite metrics_site();
  adapters::StatusInputs status_inputs() const;
  Result<std::string> route(std::string_view lines) const;
  Result<void> speak(const std::string& backend, const std::optional<std::string>& service, core::Word word);
  Result<void> drain_node(bool drained);
  void set_weight(const std::string& backend, const std::optional<std::string>& service,
                  std::optional<std::uint16_t> weight, ReloadDone done);
  std::vector<std::string> events(std::optional<std::uint64_t> since_ns) const;
  void follow(adapters::Stream stream);
  void announce(const std::string& from, const std::string& to, const std::string& reason);

  DaemonOptions options_;
  std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  std::unique_ptr<adapters::EventLoop> loop_;
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<adapters::LoopProber> prober_;
  std::unique_ptr<TableBuilder> builder_;
  std::unique_ptr<AnnouncementKeeper> announcement_;
  std::unique_ptr<adapters::HttpServer> api_;
  std::unique_ptr<adapters::HttpServer> metrics_;
  std::vector<adapters::EventLoop::Source> signals_;
  adapters::EventLoop::Source liveness_timer_;
  bool stopping_ = false;
  std::uint64_t reloads_applied_ = 0;
  std::uint64_t reloads_refused_ = 0;
};

}  // namespace phalanx::daemon

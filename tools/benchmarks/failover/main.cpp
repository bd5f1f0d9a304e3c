// SPDX-License-Identifier: Apache-2.0
// From the verdict that a backend is down to the first packet that leaves for its backup, on another core,
// through the loaded program and its real maps.
#include <bpf/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "adapters/bpf/balancer_maps.hpp"
#include "core/engine.hpp"
#include "daemon/contract_rows.hpp"
#include "daemon/publisher.hpp"
#include "report.hpp"

namespace phalanx::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint16_t kFirstPort = 1000;
constexpr std::size_t kOuterDestination = 14 + 16;  // Ethernet, then up to the outer IPv4 destination
constexpr std::uint32_t kLoopback = 1;              // a test run's packets come in by it

void require(bool condition, const std::string& what) {
  if (!condition) {
    std::cerr << "bench failover: " << what << "\n";
    std::exit(1);
  }
}

template <typename T>
T value_of(Result<T> result) {
  require(result.has_value(), result ? "" : result.error().message);
  return std::move(*result);
}

void run_on_core(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  require(::pthread_setaffinity_np(::pthread_self(), sizeof set, &set) == 0, "pin a thread to a core");
}

// A bpffs that no other process sees and that vanishes with this one.
std::string private_bpffs() {
  char path[] = "/tmp/phalanx-bench-XXXXXX";
  require(::mkdtemp(path) != nullptr, "make a directory under /tmp");
  require(::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
              ::mount("bpf", path, "bpf", 0, nullptr) == 0,
          "mount a bpffs; this needs root");
  return path;
}

core::Address ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  core::Address address;
  address.bytes = {a, b, c, d};
  return address;
}

core::Config config_of(std::uint32_t services) {
  core::Config config;
  config.node.name = "bench";
  config.node.interfaces = {"lo"};
  config.node.limits.slots = std::max(1024 * 1024u, services * PHX_MIN_SLOTS);
  for (std::uint32_t i = 0; i < services; ++i) {
    core::Service service;
    service.name = "service-" + std::to_string(i);
    service.vips = {ipv4(203, 0, 113, 10)};
    service.protocols = {core::Protocol::tcp};
    service.port = static_cast<std::uint16_t>(kFirstPort + i);
    service.check_name = "check";
    service.check = core::Check{};
    service.check->fall = 1;
    service.check->rise = 1;
    // One flow serves all rounds: it must go back when the backend does, not stay where it was moved to.
    service.track = core::Track::none;
    service.slots = services == 1 ? 65536 : PHX_MIN_SLOTS;
    for (std::uint8_t b = 1; b <= 4; ++b) {
      service.backends.push_back({.name = "b" + std::to_string(b),
                                  .endpoint = {ipv4(10, 0, 0, b), 80},
                                  .weight = 100,
                                  .zone = {},
                                  .tier = 0});
    }
    config.services.push_back(service);
  }
  return config;
}

std::array<std::uint8_t, 64> tcp_frame() {
  std::array<std::uint8_t, 64> frame{};
  const std::array<std::uint8_t, 38> headers = {0,
                                                0,
                                                0,
                                                0,
                                                0,
                                                1,
                                                0,
                                                0,
                                                0,
                                                0,
                                                0,
                                                2,
                                                8,
                                                0,  // Ethernet
                                                0x45,
                                                0,
                                                0,
                                                40,
                                                0,
                                                0,
                                                0x40,
                                                0,
                                                64,
                                                6,
                                                0,
                                                0,  // IPv4
                                                192,
                                                0,
                                                2,
                                                7,
                                                203,
                                                0,
                                                113,
                                                10,  //
                                                0x15,
                                                0xb3,
                                                kFirstPort >> 8,
                                                kFirstPort & 0xff};
  std::ranges::copy(headers, frame.begin());
  frame[46] = 0x50;  // data offset
  frame[47] = 0x10;  // ACK
  return frame;
}

// Sends one packet after another and keeps the last byte of the backend that each one left for.
class Path {
 public:
  explicit Path(int program) : program_(program), thread_([this] { run(); }) {}
  ~Path() {
    stop_ = true;
    thread_.join();
  }

  std::uint8_t backend() const { return backend_.load(std::memory_order_acquire); }
  // When the first packet left for another backend than the one before.
  Clock::time_point changed_at() const { return changed_at_.load(std::memory_order_acquire); }

 private:
  void run() {
    run_on_core(1);
    const auto frame = tcp_frame();
    std::array<std::uint8_t, 256> out{};
    while (!stop_) {
      LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = out.data(),
                  .data_size_in = frame.size(), .data_size_out = out.size(), .repeat = 1);
      require(::bpf_prog_test_run_opts(program_, &options) == 0 && options.retval == XDP_TX,
              "a packet was not sent to a backend");
      const std::uint8_t now = out[kOuterDestination + 3];
      if (now != backend_.load(std::memory_order_relaxed)) {
        changed_at_.store(Clock::now(), std::memory_order_release);
        backend_.store(now, std::memory_order_release);
      }
    }
  }

  int program_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint8_t> backend_ = 0;
  std::atomic<Clock::time_point> changed_at_ = Clock::time_point{};
  std::thread thread_;
};

class Node {
 public:
  Node(const std::string& directory, std::uint32_t services)
      : directory_(
            value_of(adapters::PinDirectory::open(directory, adapters::PinDirectory::IfMissing::create))) {
    require(directory_.try_lock().has_value(), "lock the pins");
    const core::Config config = config_of(services);
    maps_ = std::make_unique<adapters::BalancerMaps>(
        value_of(adapters::BalancerMaps::create(directory_, config.node.limits)));
    core::Engine nothing(config.node.limits);
    core::Proposal proposal = value_of(nothing.propose(config, {}, now().steady));
    for (core::TableBuild& build : proposal.builds) {
      build.run();
    }
    engine_ = std::make_unique<core::Engine>(nothing.successor(proposal, now()));
    require(daemon::publish(*engine_, *maps_).has_value(), "publish");
    for (std::uint8_t b = 1; b <= 4; ++b) {
      step(core::NextHopChanged{ipv4(10, 0, 0, b),
                                core::NextHop{.destination = {2, 0, 0, 0, 0, b},
                                              .source = {2, 0, 0, 0, 0, 9},
                                              .interface = kLoopback,
                                              .on_link = true,
                                              .preferred_source = ipv4(10, 0, 0, 9)},
                                {}});
    }
    finish_idle_work();
  }

  int program() const { return maps_->program(); }

  // The verdict of a probe of that backend, down to its last store; slots are re-armed by finish_idle_work().
  void verdict(std::uint8_t backend, core::Verdict verdict) {
    clock_ += std::chrono::seconds(2);
    std::uint64_t attempt = 0;
    for (const core::Action& action : engine_->step(core::TimerFired{}, now())) {
      const auto* probe = std::get_if<core::StartProbe>(&action);
      if (probe != nullptr && probe->target.address == ipv4(10, 0, 0, backend)) {
        attempt = probe->attempt;
      } else if (probe != nullptr) {
        step(core::ProbeFinished{probe->attempt, core::Verdict::pass, "passed"});
      }
    }
    require(attempt != 0, "no probe was due");
    began_ = Clock::now();
    step(core::ProbeFinished{attempt, verdict, "as the bench says"});
  }
  Clock::time_point began() const { return began_; }

  void finish_idle_work() {
    while (engine_->has_idle_work()) {
      step(core::Idle{});
    }
  }

  // The bare store, without the decision.
  double store_us() {
    const phx_backend row = maps_->backend(0);
    const auto begin = Clock::now();
    maps_->store_backend_state(0, row.state);
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
  }

 private:
  core::Now now() const {
    return {core::SteadyTime(std::chrono::hours(1)) + clock_, core::WallTime{} + clock_};
  }

  void step(const core::Event& event) {
    for (const core::Action& action : engine_->step(event, now())) {
      if (const auto* state = std::get_if<core::StoreEntryState>(&action)) {
        maps_->store_backend_state(state->entry, daemon::state_word(*state));
      } else if (const auto* hop = std::get_if<core::WriteNextHop>(&action)) {
        maps_->write_next_hop(hop->entry, hop->row, daemon::next_hop_row(hop->hop));
      } else if (const auto* patch = std::get_if<core::PatchSlots>(&action)) {
        for (const core::SlotStore& store : patch->stores) {
          maps_->store_slot(store.row, daemon::slot_row(store));
        }
      }
    }
  }

  adapters::PinDirectory directory_;
  std::unique_ptr<adapters::BalancerMaps> maps_;
  std::unique_ptr<core::Engine> engine_;
  std::chrono::seconds clock_{0};
  Clock::time_point began_;
};

std::uint8_t wait_for_change(const Path& path, std::uint8_t from) {
  const auto deadline = Clock::now() + std::chrono::seconds(2);
  while (path.backend() == from) {
    require(Clock::now() < deadline, "no packet left for another backend within 2 s");
  }
  return path.backend();
}

void measure(const std::string& directory, std::uint32_t services, int rounds, std::vector<Figure>& figures) {
  Node node(directory, services);
  Path path(node.program());
  std::uint8_t home = wait_for_change(path, 0);
  std::vector<double> visible, store;
  for (int round = 0; round < rounds; ++round) {
    node.verdict(home, core::Verdict::fail);
    const std::uint8_t backup = wait_for_change(path, home);
    visible.push_back(std::chrono::duration<double, std::micro>(path.changed_at() - node.began()).count());
    require(backup != home, "the backup is the dead backend");
    node.finish_idle_work();
    node.verdict(home, core::Verdict::pass);
    node.finish_idle_work();
    require(wait_for_change(path, backup) == home, "the slot did not come back to its owner");
    store.push_back(node.store_us());
  }
  if (services == 1) {
    figures.push_back(figure_of("failover.store", "us", store));
  }
  figures.push_back(figure_of("failover.visible." + std::to_string(services), "us", visible));
}

int run(int rounds, const std::string& json) {
  require(std::thread::hardware_concurrency() >= 2,
          "it takes two cores: one decides, the other sends packets");
  const std::string bpffs = private_bpffs();
  run_on_core(0);
  std::vector<Figure> figures;
  measure(bpffs + "/one", 1, rounds, figures);
  measure(bpffs + "/thousand", 1000, std::max(1, rounds / 10), figures);
  print_table(std::cout, figures);
  ::umount2(bpffs.c_str(), MNT_DETACH);
  std::filesystem::remove(bpffs);
  require(json.empty() || write_json(json, figures), "write " + json);
  return 0;
}

}  // namespace
}  // namespace phalanx::bench

int main(int argc, char** argv) {
  CLI::App app{"From a backend's verdict to the first packet that leaves for its backup, in microseconds."};
  int rounds = 200;
  std::string json;
  app.add_option("--rounds", rounds, "failures of a backend; a tenth of it with 1,000 services")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--json", json, "write the figures there as well")->type_name("FILE");
  CLI11_PARSE(app, argc, argv);
  return phalanx::bench::run(rounds, json);
}

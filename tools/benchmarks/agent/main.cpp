// SPDX-License-Identifier: Apache-2.0
// agent_bench: what the agent costs a packet, in units of a program that looks at the same headers and passes
// it.
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>

#include "agent_hops.hpp"
#include "agent_wrapper.skel.h"
#include "packet/program.hpp"
#include "report.hpp"

namespace {

using namespace phalanx::bench;
using namespace phalanx::test;

constexpr std::size_t kWord = 8;
constexpr std::uint16_t kFirstPort = 41000;  // of the clients of kFlows connections, as in the wrapper
constexpr std::uint16_t kFlows = 8192;

// Frames come from the builder of the kernel tests, and so do sockets.
struct Case {
  std::string key;
  Packet packet;
  std::uint32_t verdict;
  std::uint32_t pulled;                // bytes before the inner packet, from the outer IP header on
  std::vector<std::uint32_t> touched;  // a field of each header
  bool many_flows = false;
};

class Wrapper {
 public:
  explicit Wrapper(const Case& of) : frame_(of.packet.frame()), object_(agent_wrapper_bpf__open()) {
    if (!object_) throw BenchError("open the wrapper's BPF object: it is damaged; build it anew");
    auto& settings = *object_->rodata;
    const bool passes = of.verdict == XDP_PASS;
    settings.pulled = passes ? of.pulled : 0;
    settings.expected_verdict = of.verdict;
    settings.words =
        static_cast<std::uint32_t>(std::min(std::size(settings.headers), (14 + of.pulled + 64) / kWord));
    std::memcpy(settings.headers, frame_.data(), settings.words * kWord);
    if (of.many_flows) {
      settings.port_at = 14 + of.pulled + (of.packet.from().address.find(':') == std::string::npos ? 20 : 40);
      settings.port_mask = kFlows - 1;
    }
    for (std::size_t i = 0; i < std::size(settings.touched); i++) {
      settings.touched[i] = of.touched[i % of.touched.size()];
    }
    if (agent_wrapper_bpf__load(object_.get()) != 0) {
      throw BenchError("load the wrapper: the kernel refuses it; run as root on Linux 6.1 or newer");
    }
  }

  double bare_ns(std::uint32_t repeats) {
    return run_repeated(bpf_program__fd(object_->progs.trivial_pass), frame_, repeats).ns;
  }

  // What the agent costs when the wrapper's own work is subtracted: the call, the putting back. A stand-in
  // that shortens the head in two steps instead of one tells what a step costs.
  double agent_ns(int agent, double bare, std::uint32_t repeats) {
    const double once = wrapped_ns(bpf_program__fd(object_->progs.pull_once), repeats, false);
    const double twice = wrapped_ns(bpf_program__fd(object_->progs.pull_twice), repeats, false);
    const double step = object_->rodata->pulled != 0 ? twice - once : 0;
    return wrapped_ns(agent, repeats, true) - (once - bare - step);
  }

 private:
  struct Close {
    void operator()(agent_wrapper_bpf* object) const { agent_wrapper_bpf__destroy(object); }
  };

  double wrapped_ns(int program, std::uint32_t repeats, bool judged) {
    const std::uint32_t key = 0;
    if (bpf_map__update_elem(object_->maps.target, &key, sizeof(key), &program, sizeof(program), 0) != 0) {
      throw BenchError("wrap a program: the kernel does not let the wrapper call it");
    }
    object_->bss->surprises = 0;
    const RunReport report = run_repeated(bpf_program__fd(object_->progs.wrapper), frame_, repeats);
    if (judged && object_->bss->surprises != 0) {
      throw BenchError("measure the agent: " + std::to_string(object_->bss->surprises) +
                       " verdicts were not what the case expects");
    }
    if (report.frame != frame_) throw BenchError("measure the agent: the wrapper did not restore its packet");
    return report.ns;
  }

  Frame frame_;
  std::unique_ptr<agent_wrapper_bpf, Close> object_;
};

struct World {
  World() {
    add_addresses();
    for (const Endpoint& vip : {vip4, vip6}) agent.add_vip(vip.address);
    agent.add_nodes("10.0.0.0", 24);
    agent.add_nodes("fd00::", 64);
    agent.add_peers("10.0.9.0", 24);
    agent.add_peers("fd00:9::", 64);
    for (const auto& [client, vip] : {std::pair{client4, vip4}, {client6, vip6}}) {
      servers.push_back(listening(vip));
      sockets.push_back(connected(SOCK_STREAM, client, vip));
      sockets.push_back(accepted(servers.back()));
    }
    for (std::uint16_t i = 0; i < kFlows; i++) {
      const auto port = static_cast<std::uint16_t>(kFirstPort + i);
      sockets.push_back(established(vip4, {client4.address, port}));
    }
  }

  Case gue4(const std::string& key, const Packet& inner, const Bytes& private_data,
            std::uint32_t verdict) const {
    const auto pulled = static_cast<std::uint32_t>(32 + private_data.size());
    return {key,
            gue_tunnel("10.0.0.5", "10.0.1.11", inner, {.private_data = private_data}),
            verdict,
            pulled,
            {10, 22, 26, 36, 42, private_data.empty() ? 42 : 46u, 14 + pulled + 16, 14 + pulled + 20,
             14 + pulled + 30}};
  }
  Case gue6(const std::string& key, const Packet& inner, const Bytes& private_data) const {
    const auto pulled = static_cast<std::uint32_t>(52 + private_data.size());
    return {key,
            gue_tunnel("fd00::5", "fd00:1::11", inner, {.private_data = private_data}),
            XDP_PASS,
            pulled,
            {10, 18, 22, 56, 62, private_data.empty() ? 62 : 66u, 14 + pulled + 24, 14 + pulled + 40,
             14 + pulled + 50}};
  }

  [[nodiscard]] std::vector<Case> cases() const {
    const Packet known4 = tcp4(client4, vip4).payload(60);
    const Packet finished4 = tcp4(client4, vip4).flags(kFin | kAck).payload(60);
    const Packet known6 = tcp6(client6, vip6).payload(60);
    const Packet unknown4 = tcp4({client4.address, 1}, vip4).payload(60);
    const Bytes two4 = hops({"10.0.9.1", "10.0.9.2"});
    Case many = gue4("agent.gue4.known.8k", known4, two4, XDP_PASS);
    many.many_flows = true;
    return {many,
            gue4("agent.gue4.asked", finished4, two4, XDP_PASS),
            {"agent.ipip4", tunnel("10.0.0.5", "10.0.1.11", known4), XDP_PASS, 20, {10, 22, 26, 50, 54, 64}},
            gue4("agent.gue4", known4, {}, XDP_PASS),
            gue4("agent.gue4.known", known4, two4, XDP_PASS),
            gue4("agent.gue4.syn", tcp4({client4.address, 1}, vip4).flags(kSyn).payload(60), two4, XDP_PASS),
            gue4("agent.gue4.last_hop", unknown4, hops({"10.0.9.1", "10.0.9.2"}, 2), XDP_PASS),
            gue4("agent.gue4.passed_on", unknown4, two4, XDP_TX),
            gue6("agent.gue6", known6, {}),
            gue6("agent.gue6.known", known6, hops({"fd00:9::1", "fd00:9::2"}))};
  }

  const Endpoint client4{"203.0.113.7", 40000};
  const Endpoint client6{"2001:db8:c::7", 40000};
  const Endpoint vip4{"198.51.100.10", 80};
  const Endpoint vip6{"2001:db8:e::10", 80};
  const Network network;
  AgentRun agent;
  std::vector<Socket> servers, sockets;
};

struct Settings {
  std::uint32_t rounds = 21;
  std::uint32_t repeats = 1'000'000;
  std::string json_path;
};

int run(const Settings& settings) {
  const World world;
  const std::vector<Case> cases = world.cases();
  std::vector<std::unique_ptr<Wrapper>> wrappers;
  for (const Case& each : cases) wrappers.push_back(std::make_unique<Wrapper>(each));
  std::map<std::string, std::vector<double>> ns, ratios;
  for (std::uint32_t round = 0; round < settings.rounds; round++) {
    for (std::size_t i = 0; i < cases.size(); i++) {
      const double bare = wrappers[i]->bare_ns(settings.repeats);
      const double agent = wrappers[i]->agent_ns(world.agent.program_fd(), bare, settings.repeats);
      ns[cases[i].key].push_back(agent);
      ns["trivial XDP_PASS, " + cases[i].key].push_back(bare);
      ratios[cases[i].key].push_back(agent / bare);
    }
  }
  std::vector<Figure> figures, costs;
  for (const auto& [key, samples] : ratios) figures.push_back(figure_of(key, "x XDP_PASS", samples));
  for (const auto& [key, samples] : ns) costs.push_back(figure_of(key, "ns", samples));
  print_table(std::cout, figures);
  std::cout << "\nin ns, the test loop included\n";
  print_table(std::cout, costs);
  if (settings.json_path.empty() || write_json(settings.json_path, figures)) return 0;
  std::cerr << "write " << settings.json_path << ": " << std::strerror(errno)
            << "; name a file in a writable folder\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "What the agent costs a packet, against a program that looks at the same headers and passes it."};
  Settings settings;
  app.add_option("--json", settings.json_path, "Write the figures to this file too.")->option_text("FILE");
  app.add_option("--rounds", settings.rounds, "Rounds, 1 to 10000 (21).")
      ->option_text("N")
      ->check(CLI::Range(1u, 10'000u));
  app.add_option("--repeats", settings.repeats, "Packets a case and round, 1000 to 100 million (1 million).")
      ->option_text("N")
      ->check(CLI::Range(1000u, 100'000'000u));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return run(settings);
  } catch (const BenchError& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}

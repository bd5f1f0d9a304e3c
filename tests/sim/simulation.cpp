// SPDX-License-Identifier: Apache-2.0
#include "sim/simulation.hpp"

#include <algorithm>
#include <memory>
#include <random>

#include "sim/sim_node.hpp"

namespace phalanx::sim {

namespace {

using namespace std::chrono_literals;

constexpr auto kStep = 10s;
constexpr auto kTransition = 600s;
constexpr std::uint32_t kWindowSteps = kTransition / kStep;
constexpr std::uint32_t kSweepSteps = 6;
constexpr std::uint32_t kQuietSteps = 3;  // between events, at most

class Simulation {
 public:
  explicit Simulation(const Plan& plan)
      : plan_(plan), random_(plan.seed), late_(plan.nodes), alive_(plan.nodes, true) {
    for (auto& owners : owners_) owners.assign(plan.flows, kNobody);
    facts_.config = first_config();
    for (std::uint32_t i = 0; i < plan.nodes; ++i) start_node(i);
    refresh_references();
  }

  Outcome run() {
    traffic();
    for (std::uint32_t event = 0; event < plan_.events; ++event) {
      happen();
      for (std::uint32_t quiet = 1 + below(kQuietSteps); quiet > 0; --quiet) pass_step();
    }
    for (std::uint32_t i = 0; i < plan_.nodes; ++i) catch_up(i);
    for (auto& node : nodes_) node->advance(30s);  // past every settle
    compare_nodes();
    for (const auto& node : nodes_) outcome_.evicted += node->flows().evicted();
    return outcome_;
  }

 private:
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }

  core::Limits limits() const {
    return {.services = 1,
            .backends = 2048,
            .slots = std::max(plan_.slots * 8, 4096u),
            .flows = plan_.flow_limit};
  }

  core::Backend new_backend() {
    const Number number = next_number_++;
    return {.name = "b" + std::to_string(number),
            .endpoint = endpoint_of(number),
            .weight = 100,
            .zone = {},
            .tier = 0};
  }

  core::Config first_config() {
    core::Service service;
    service.name = "web";
    service.protocols = {core::Protocol::tcp};
    service.vips = {endpoint_of(65535).address};
    service.port = 80;
    service.slots = plan_.slots;
    service.seed = mix(plan_.seed);
    service.transition = kTransition;
    for (std::uint32_t i = 0; i < plan_.backends; ++i) service.backends.push_back(new_backend());
    core::Config config;
    config.node.name = "edge";
    config.node.limits = limits();
    config.services = {service};
    return config;
  }

  void start_node(std::uint32_t i) {
    nodes_.resize(plan_.nodes);
    core::Now now{core::SteadyTime(1h) + step_ * kStep, core::WallTime(1h)};
    nodes_[i] = std::make_unique<SimNode>(limits(), plan_.flows, now);
    nodes_[i]->apply(facts_);
    for (const Number drained : facts_.drained) nodes_[i]->say(facts_, drained);
    late_[i] = {};
  }

  // ------------------------------------------------------------------------------------------- what happens
  void happen() {
    auto& backends = facts_.service().backends;
    const auto any = [&] {
      return number_of(backends[below(static_cast<std::uint32_t>(backends.size()))].endpoint);
    };
    const std::uint32_t kind = below(plan_.node_loss ? 12 : 11);
    switch (kind) {
      case 0:
      case 1:
      case 2:
        if (facts_.dead.size() * 4 < backends.size()) return change_host(any(), true);
        [[fallthrough]];
      case 3:
      case 4:
        if (!facts_.dead.empty())
          return change_host(
              *std::next(facts_.dead.begin(), below(static_cast<std::uint32_t>(facts_.dead.size()))), false);
        [[fallthrough]];
      case 5:
        backends.push_back(new_backend());
        return reload("add");
      case 6:
        return remove(any());
      case 7:
        return drain(any());
      case 8:
        if (!facts_.drained.empty()) return drain(*facts_.drained.begin());
        [[fallthrough]];
      case 9:
        backends[below(static_cast<std::uint32_t>(backends.size()))].weight =
            static_cast<std::uint16_t>(50 + below(151));
        return reload("re-weigh");
      case 10:
        if (!plan_.grows || facts_.service().slots > plan_.slots) return;
        facts_.service().slots *= 2;
        return reload("grow");
      default:
        return lose_or_regain_node();
    }
  }

  void change_host(Number backend, bool dies) {
    ++outcome_.kinds[dies ? "fail" : "recover"];
    if (dies) {
      facts_.dead.insert(backend);
    } else {
      facts_.dead.erase(backend);
    }
    for (auto& late : late_) late.hosts.insert(backend);
    refresh_references();
  }

  void drain(Number backend) {
    const bool begins = facts_.drained.erase(backend) == 0;
    if (begins) facts_.drained.insert(backend);
    ++outcome_.kinds[begins ? "drain" : "undrain"];
    for (auto& late : late_) late.words.insert(backend);
    refresh_references();
  }

  void remove(Number backend) {
    auto& backends = facts_.service().backends;
    if (backends.size() < 4) return;
    std::erase_if(backends, [&](const core::Backend& b) { return number_of(b.endpoint) == backend; });
    facts_.drained.erase(backend);
    facts_.dead.erase(backend);
    removed_[backend] = step_;
    reload("remove");
  }

  void reload(const char* kind) {
    ++outcome_.kinds[kind];
    for (auto& late : late_) late.config = true;
    refresh_references();
  }

  void lose_or_regain_node() {
    const std::uint32_t i = below(plan_.nodes);
    if (alive_[i] && std::ranges::count(alive_, true) == 1) return;
    ++outcome_.kinds[alive_[i] ? "node lost" : "node back"];
    alive_[i] = !alive_[i];
    if (alive_[i]) start_node(i);
  }

  // Each node hears of it all, in an order of its own, and not all at the same time.
  void catch_up(std::uint32_t i) {
    Late late = std::exchange(late_[i], {});
    const bool config_first = below(2) == 0;
    if (late.config && config_first) nodes_[i]->apply(facts_);
    const auto shuffled = [&](const std::set<Number>& all) {
      std::vector<Number> order(all.begin(), all.end());
      std::shuffle(order.begin(), order.end(), random_);
      return order;
    };
    for (const Number backend : shuffled(late.hosts)) nodes_[i]->tell(facts_, backend);
    for (const Number backend : shuffled(late.words)) nodes_[i]->say(facts_, backend);
    if (late.config && !config_first) nodes_[i]->apply(facts_);
  }

  void pass_step() {
    ++step_;
    for (std::uint32_t i = 0; i < plan_.nodes; ++i) {
      if (!plan_.late_nodes || below(4) != 0) catch_up(i);
    }
    if (plan_.silence == 1) traffic();  // before a settle ends in the same step
    for (std::uint32_t i = 0; i < plan_.nodes; ++i) {
      nodes_[i]->advance(kStep);
      outcome_.most_remembered = std::max(outcome_.most_remembered, nodes_[i]->flows().size());
      if (step_ % kSweepSteps == i % kSweepSteps) nodes_[i]->sweep(step_, kWindowSteps);
    }
    traffic();
  }

  // ------------------------------------------------------------------------------------------------ traffic
  void traffic() {
    std::vector<std::uint32_t> up;
    for (std::uint32_t i = 0; i < plan_.nodes; ++i) {
      if (alive_[i]) up.push_back(i);
    }
    note_who_lives();
    for (FlowNumber flow = 0; flow < plan_.flows; ++flow) {
      const std::uint64_t hash = mix(flow);
      if ((step_ + flow) % (1 + (hash >> 40) % plan_.silence) != 0) continue;
      const bool begins = owners_[kPhalanx][flow] == kNobody || mix(hash ^ step_) % 64 == 0;
      SimNode& node = *nodes_[up[(hash >> 32) % up.size()]];
      const auto kind = begins ? fakes::PacketKind::syn : fakes::PacketKind::other_tcp;
      ++outcome_.packets;
      arrive(kPhalanx, flow, node.send(flow, hash, kind, step_), begins);
      arrive(kPhalanxSlotsAlone, flow, node.send_by_slot_alone(hash), begins);
      if (!plan_.references) continue;
      arrive(kMaglevScheme, flow, maglev_[hash % kMaglevSlots], begins);
      arrive(kRendezvous, flow, rendezvous_[hash & (rendezvous_.size() - 1)], begins);
    }
  }

  void arrive(Scheme scheme, FlowNumber flow, Number to, bool begins) {
    Number& owner = owners_[scheme][flow];
    if (!begins && owner != kNobody && to != owner) {
      ++(lives_[owner] ? outcome_.broken : outcome_.moved_by_death)[scheme];
    }
    owner = to;
  }

  // A removed backend may finish what it has until its deadline.
  void note_who_lives() {
    lives_.assign(next_number_, true);
    for (const Number dead : facts_.dead) lives_[dead] = false;
    for (const auto& [backend, when] : removed_) {
      if (step_ - when >= kWindowSteps) lives_[backend] = false;
    }
  }

  // They know all at once, and at no cost.
  void refresh_references() {
    if (!plan_.references) return;
    std::vector<Candidate> up;
    for (const core::Backend& backend : facts_.service().backends) {
      const Number number = number_of(backend.endpoint);
      if (!facts_.dead.contains(number) && !facts_.drained.contains(number))
        up.push_back({number, backend.weight});
    }
    maglev_ = maglev(up);
    rendezvous_ = rendezvous(up, plan_.slots);
  }

  void compare_nodes() {
    const SimNode& first = *nodes_.front();
    for (const auto& node : nodes_) {
      for (std::uint32_t slot = 0; slot < facts_.service().slots; ++slot) {
        const phx_slot x = first.row(slot);
        const phx_slot y = node->row(slot);
        const bool same = first.number(x.primary) == node->number(y.primary) &&
                          first.number(x.backup) == node->number(y.backup);
        outcome_.disagree += same ? 0 : 1;
      }
    }
  }

  // What a node has not heard of yet.
  struct Late {
    std::set<Number> hosts;
    std::set<Number> words;
    bool config = false;
  };

  Plan plan_;
  std::mt19937_64 random_;
  Facts facts_;
  Number next_number_ = 0;
  std::uint32_t step_ = 0;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::vector<Late> late_;
  std::vector<bool> alive_;
  std::map<Number, std::uint32_t> removed_;
  std::array<std::vector<Number>, kSchemes> owners_;
  std::vector<bool> lives_;
  std::vector<Number> maglev_;
  std::vector<Number> rendezvous_;
  Outcome outcome_;
};

}  // namespace

const char* to_string(Scheme scheme) {
  switch (scheme) {
    case kPhalanx:
      return "phalanx";
    case kPhalanxSlotsAlone:
      return "phalanx without flow table";
    case kMaglevScheme:
      return "maglev";
    default:
      return "rendezvous";
  }
}

Outcome simulate(const Plan& plan) {
  return Simulation(plan).run();
}

}  // namespace phalanx::sim

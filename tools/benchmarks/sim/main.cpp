// SPDX-License-Identifier: Apache-2.0
// What a change costs that nobody asked for: slots that move, load that tilts, connections that break.
// Phalanx beside plain Maglev and plain rendezvous hashing, everything from printed seeds.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include "core/slot_table.hpp"
#include "report.hpp"
#include "sim/references.hpp"
#include "sim/sim_node.hpp"
#include "sim/simulation.hpp"

namespace phalanx::bench {
namespace {

using sim::Candidate;
using sim::kNobody;
using sim::Number;
using Table = std::vector<Number>;

constexpr std::uint32_t kBackends = 100;
constexpr std::uint32_t kDown = 20;
constexpr std::uint32_t kSlots = 65536;

// Backends of one seed are other hosts than those of another.
std::vector<Candidate> fleet(std::uint64_t seed, std::uint32_t count) {
  std::vector<Candidate> all;
  for (std::uint32_t i = 0; i < count; ++i) all.push_back({static_cast<Number>(seed) * 211 % 60000 + i, 100});
  return all;
}

core::SlotTable phalanx(std::uint64_t seed, const std::vector<Candidate>& all) {
  core::SlotTableSpec spec{.members = {}, .slots = kSlots, .seed = sim::mix(seed)};
  for (const Candidate& c : all) spec.members.push_back({sim::endpoint_of(c.number), 100, 0});
  return core::SlotTable::build(spec, std::vector<core::Standing>(all.size()));
}

Table primaries(const core::SlotTable& table, const std::vector<Candidate>& all) {
  Table result;
  for (const core::SlotOwners& owners : table.owners()) result.push_back(all[owners.primary].number);
  return result;
}

double moved_share(const Table& before, const Table& after, Number but_from = kNobody) {
  std::size_t moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i)
    moved += before[i] != after[i] && before[i] != but_from ? 1u : 0u;
  return static_cast<double>(moved) / static_cast<double>(before.size());
}

double peak(const Table& table, std::size_t live) {
  std::vector<std::uint32_t> load(65536, 0);
  for (const Number number : table) ++load[number];
  return *std::ranges::max_element(load) * static_cast<double>(live) / static_cast<double>(table.size());
}

// Three samples a key: ours, Maglev's, rendezvous'.
struct Samples {
  std::vector<double> ours, maglev, rendezvous;

  void add(double x, double y, double z) {
    ours.push_back(x);
    maglev.push_back(y);
    rendezvous.push_back(z);
  }
  void report(std::vector<Figure>& figures, const std::string& key, const std::string& unit) const {
    figures.push_back(figure_of(key, unit, ours));
    figures.push_back(figure_of(key + ".maglev", unit, maglev));
    figures.push_back(figure_of(key + ".rendezvous", unit, rendezvous));
  }
};

void measure_tables(std::uint64_t seeds, std::vector<Figure>& figures) {
  Samples fail, up, down, add;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto all = fleet(seed, kBackends + 1);
    const std::vector<Candidate> hundred(all.begin(), all.end() - 1);
    core::SlotTable table = phalanx(seed, hundred);
    const Table ours = primaries(table, hundred);
    const Table maglev = sim::maglev(hundred);
    const Table rendezvous = sim::rendezvous(hundred, kSlots);
    up.add(peak(ours, kBackends), peak(maglev, kBackends), peak(rendezvous, kBackends));

    const Number victim = hundred.front().number;
    const std::vector<Candidate> others(hundred.begin() + 1, hundred.end());
    table.set_standing(0, {.up = false});
    fail.add(100 * moved_share(ours, primaries(table, hundred), victim),
             100 * moved_share(maglev, sim::maglev(others), victim),
             100 * moved_share(rendezvous, sim::rendezvous(others, kSlots), victim));

    const std::vector<Candidate> rest(hundred.begin() + kDown, hundred.end());
    for (core::MemberIndex i = 0; i < kDown; ++i) table.set_standing(i, {.up = false});
    down.add(peak(primaries(table, hundred), rest.size()), peak(sim::maglev(rest), rest.size()),
             peak(sim::rendezvous(rest, kSlots), rest.size()));

    const double ideal = 1.0 / (kBackends + 1);
    add.add(moved_share(ours, primaries(phalanx(seed, all), all)) - ideal,
            moved_share(maglev, sim::maglev(all)) - ideal,
            moved_share(rendezvous, sim::rendezvous(all, kSlots)) - ideal);
  }
  fail.report(figures, "sim.collateral.fail", "% of slots");
  up.report(figures, "sim.balance.up", "max/average");
  figures.push_back(figure_of("sim.balance.up.worst", "max/average", {std::ranges::max(up.ours)}));
  down.report(figures, "sim.balance.20down", "max/average");
  figures.push_back(figure_of("sim.balance.20down.worst", "max/average", {std::ranges::max(down.ours)}));
  add.report(figures, "sim.collateral.add", "of slots");
}

struct Story {
  std::string name;
  std::string what;
  sim::Plan plan;
};

std::vector<Story> stories(std::uint64_t scale) {
  const auto flows = [&](std::uint32_t thousands) {
    return static_cast<std::uint32_t>(thousands * 1000 / scale);
  };
  const sim::Plan talking{.nodes = 4,
                          .backends = 100,
                          .flows = flows(1000),
                          .events = 60,
                          .slots = kSlots,
                          .flow_limit = 1u << 20,
                          .late_nodes = false,
                          .grows = false};
  sim::Plan growing = talking;
  growing.grows = true;
  sim::Plan silent = talking;
  silent.silence = 8;
  silent.late_nodes = true;
  sim::Plan nodes = silent;
  nodes.nodes = 8;
  nodes.node_loss = true;
  sim::Plan small = nodes;
  small.flow_limit = 8192;
  sim::Plan large = talking;
  large.nodes = 8;
  large.backends = 1000;
  large.flows = flows(2000);
  large.events = 20;
  return {{"talking", "4 nodes, 100 backends, every flow speaks between any two events", talking},
          {"growing", "the same, and the table doubles once (which the references do not)", growing},
          {"silent", "flows are silent for up to 80 s and nodes hear late", silent},
          {"nodes", "the same, 8 nodes of which some are lost, and come back knowing nothing", nodes},
          {"small-table", "the same, with a flow table of 8,192 rows a node", small},
          {"large", "8 nodes, 1,000 backends, every flow speaks between any two events", large}};
}

// Changes of backend backend while theirs was up or draining, for each thousand flows.
void tell_stories(std::uint64_t seeds, std::uint64_t scale, std::vector<Figure>& figures) {
  double disagree = 0;
  for (const Story& story : stories(scale)) {
    std::array<std::vector<double>, sim::kSchemes> broken;
    sim::Outcome last;
    const std::uint64_t rounds = story.name == "large" ? 1 : seeds;
    for (std::uint64_t seed = 1; seed <= rounds; ++seed) {
      sim::Plan plan = story.plan;
      plan.seed = seed;
      last = sim::simulate(plan);
      disagree += static_cast<double>(last.disagree);
      for (std::size_t i = 0; i < sim::kSchemes; ++i) {
        broken[i].push_back(static_cast<double>(last.broken[i]) * 1000 / plan.flows);
      }
    }
    std::cerr << story.name << ": " << story.what << "; " << story.plan.flows << " flows, seeds 1 to "
              << rounds << "; of the last: " << last.packets << " packets, at most " << last.most_remembered
              << " flows remembered by a node, " << last.evicted << " evicted; events:";
    for (const auto& [kind, count] : last.kinds) std::cerr << ' ' << kind << ' ' << count;
    std::cerr << '\n';
    const std::array<std::string, sim::kSchemes> names{"", ".slots-alone", ".maglev", ".rendezvous"};
    for (std::size_t i = 0; i < sim::kSchemes; ++i) {
      figures.push_back(figure_of("sim.broken." + story.name + names[i], "per 1,000 flows", broken[i]));
    }
  }
  figures.push_back(figure_of("sim.disagree", "slots", {disagree}));
}

}  // namespace
}  // namespace phalanx::bench

int main(int argc, char** argv) {
  CLI::App app("Simulates fleets: Phalanx beside plain Maglev and plain rendezvous hashing");
  std::string json;
  std::uint64_t table_seeds = 51;
  std::uint64_t story_seeds = 1;
  std::uint64_t scale = 1;
  app.add_option("--json", json, "write the figures to this file, too");
  app.add_option("--table-seeds", table_seeds, "fleets whose tables are measured")
      ->check(CLI::Range(1, 1000));
  app.add_option("--seeds", story_seeds, "histories of each kind")->check(CLI::Range(1, 100));
  app.add_option("--scale", scale, "divides the number of flows")->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  std::vector<phalanx::bench::Figure> figures;
  std::cerr << "tables: 100 backends, 65,536 slots (Maglev 65,537), seeds 1 to " << table_seeds << '\n';
  phalanx::bench::measure_tables(table_seeds, figures);
  phalanx::bench::tell_stories(story_seeds, scale, figures);
  phalanx::bench::print_table(std::cout, figures);
  if (!json.empty() && !phalanx::bench::write_json(json, figures)) {
    std::perror(("write the figures to " + json).c_str());
    return 1;
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// What a slot table costs: to build, to change by one backend, to bring into the data plane (rows in memory,
// as the mapped maps are).
#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "core/slot_table.hpp"
#include "daemon/publisher.hpp"
#include "fakes/memory_data_plane.hpp"
#include "report.hpp"
#include "sim/sim_node.hpp"

namespace phalanx::bench {
namespace {

constexpr std::uint32_t kSlots = 65536;

template <typename Work>
double milliseconds(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

core::SlotTableSpec spec_of(std::uint32_t backends) {
  core::SlotTableSpec spec{.members = {}, .slots = kSlots, .seed = 7};
  for (std::uint32_t i = 0; i < backends; ++i) spec.members.push_back({sim::endpoint_of(i), 100, 0});
  return spec;
}

core::SlotTable build(const core::SlotTableSpec& spec, const core::SlotTable* former = nullptr) {
  return core::SlotTable::build(spec, std::vector<core::Standing>(spec.members.size()), former);
}

// Full builds, and those that reuse the scores of a former table.
void measure_builds(std::uint32_t backends, int rounds, std::vector<Figure>& figures) {
  const core::SlotTableSpec spec = spec_of(backends);
  core::SlotTableSpec fewer = spec;
  fewer.members.pop_back();
  core::SlotTableSpec heavier = spec;
  heavier.members.front().weight = 150;
  std::vector<double> whole, add, remove, weight;
  const core::SlotTable all = build(spec);
  const core::SlotTable less = build(fewer);
  for (int i = 0; i < rounds; ++i) {
    whole.push_back(milliseconds([&] { build(spec); }));
    add.push_back(milliseconds([&] { build(spec, &less); }));
    remove.push_back(milliseconds([&] { build(fewer, &all); }));
    weight.push_back(milliseconds([&] { build(heavier, &all); }));
  }
  const std::string n = std::to_string(backends);
  figures.push_back(figure_of("table.build." + n, "ms", whole));
  figures.push_back(figure_of("table.add." + n, "ms", add));
  figures.push_back(figure_of("table.remove." + n, "ms", remove));
  figures.push_back(figure_of("table.weight." + n, "ms", weight));
}

sim::Facts facts_of(std::uint32_t backends) {
  core::Service service;
  service.name = "web";
  service.vips = {sim::endpoint_of(65535).address};
  service.protocols = {core::Protocol::tcp};
  service.port = 80;
  service.slots = kSlots;
  service.seed = 7;
  for (std::uint32_t i = 0; i < backends; ++i) {
    service.backends.push_back(
        {.name = "b" + std::to_string(i), .endpoint = sim::endpoint_of(i), .zone = {}});
  }
  sim::Facts facts;
  facts.config.node.name = "edge";
  facts.config.node.limits = {.services = 1, .backends = 2048, .slots = 2 * kSlots, .flows = 1024};
  facts.config.services = {service};
  return facts;
}

// A health event from the engine's step to the last store: up bit, slots with their transitions, events.
void measure_changes(std::uint32_t backends, int rounds, std::vector<Figure>& figures) {
  sim::Facts facts = facts_of(backends);
  const core::Now now{core::SteadyTime(std::chrono::hours(1)), core::WallTime(std::chrono::hours(1))};
  sim::SimNode node(facts.config.node.limits, 1, now);
  node.apply(facts);
  std::vector<double> down, up;
  for (int i = 0; i < 10 * rounds; ++i) {
    const auto victim = static_cast<sim::Number>(i * 37) % backends;
    facts.dead = {victim};
    down.push_back(milliseconds([&] { node.tell(facts, victim); }));
    facts.dead.clear();
    up.push_back(milliseconds([&] { node.tell(facts, victim); }));
  }
  const std::string n = std::to_string(backends);
  figures.push_back(figure_of("table.change." + n, "ms", down));
  figures.push_back(figure_of("table.change.up." + n, "ms", up));
}

// A fresh table of 65,536 slots, from the engine to the rows.
void measure_publish(std::uint32_t backends, int rounds, std::vector<Figure>& figures) {
  const sim::Facts facts = facts_of(backends);
  const core::Limits limits = facts.config.node.limits;
  const core::Now now{core::SteadyTime(std::chrono::hours(1)), core::WallTime(std::chrono::hours(1))};
  const core::Engine nothing(limits);
  auto proposal = nothing.propose(facts.config, {}, now.steady);
  PHX_CHECK(proposal.has_value());
  for (core::TableBuild& table : proposal->builds) table.run();
  const core::Engine engine = nothing.successor(*proposal, now);
  std::vector<double> samples;
  for (int i = 0; i < rounds; ++i) {
    fakes::MemoryDataPlane plane(limits);
    samples.push_back(milliseconds([&] { PHX_CHECK(daemon::publish(engine, plane).has_value()); }));
  }
  figures.push_back(figure_of("table.publish." + std::to_string(backends), "ms", samples));
}

}  // namespace
}  // namespace phalanx::bench

int main(int argc, char** argv) {
  CLI::App app("Measures what slot tables of 65,536 slots cost");
  std::string json;
  int rounds = 21;
  app.add_option("--json", json, "write the figures to this file, too");
  app.add_option("--rounds", rounds, "measurements of each build; ten times as many of each change")
      ->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  std::vector<phalanx::bench::Figure> figures;
  for (const std::uint32_t backends : {100u, 1000u}) {
    phalanx::bench::measure_builds(backends, rounds, figures);
    phalanx::bench::measure_changes(backends, rounds, figures);
    phalanx::bench::measure_publish(backends, rounds, figures);
  }
  phalanx::bench::print_table(std::cout, figures);
  if (!json.empty() && !phalanx::bench::write_json(json, figures)) {
    std::perror(("write the figures to " + json).c_str());
    return 1;
  }
  return 0;
}

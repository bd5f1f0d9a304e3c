// SPDX-License-Identifier: Apache-2.0
// packet_bench: what the balancer costs a packet, in units of the least that any XDP program can do.
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <iostream>

#include "packet/measurement.hpp"
#include "packet/memory.hpp"

namespace {

using namespace phalanx::bench;

int run(const Settings& settings, const std::string& json_path) {
  const BalancerSetup balancer;
  const ProgramSize size = size_of(balancer.program_fd());
  std::cout << "balancer: " << size.verified << " instructions verified, " << size.translated
            << " translated, " << size.machine_bytes << " bytes of machine code\n"
            << settings.rounds << " rounds of " << settings.repeats
            << " packets a case; median, and what a tenth of the rounds stays below and above\n\n"
            << std::flush;
  const Measurement measurement = measure(balancer, settings);
  print_table(std::cout, measurement.ratios);
  std::cout << "\nin ns, the test loop included; wrapping is subtracted from the cases\n";
  print_table(std::cout, measurement.costs);
  const std::vector<Figure> memory = measure_memory(balancer);
  std::cout << "\nmemory, as the kernel accounts it\n";
  print_table(std::cout, memory);
  std::vector<Figure> figures = measurement.ratios;
  figures.insert(figures.end(), memory.begin(), memory.end());
  if (json_path.empty() || write_json(json_path, figures)) return 0;
  std::cerr << "write " << json_path << ": " << std::strerror(errno)
            << "; name a file in a writable folder\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"What the balancer costs a packet, against a program that only sends it back."};
  Settings settings;
  std::string json_path;
  app.add_option("--json", json_path, "Write the figures to this file too.")->option_text("FILE");
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
    return run(settings, json_path);
  } catch (const BenchError& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}

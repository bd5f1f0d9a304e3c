// SPDX-License-Identifier: Apache-2.0
// Rounds in which every case and the yardstick run one after the other, so that what disturbs one disturbs
// all.
#pragma once

#include <string>
#include <vector>

#include "packet/balancer_setup.hpp"
#include "report.hpp"

namespace phalanx::bench {

struct Settings {
  std::uint32_t rounds = 21;
  std::uint32_t repeats = 1'000'000;  // of each program in each round
};

struct Measurement {
  std::vector<Figure> ratios;  // the cases, in units of the trivial XDP_TX program
  std::vector<Figure> costs;   // in ns: the yardstick, the subtracted cost of wrapping, the cases, the check
};

// Throws BenchError when a case did anything but what it claims to measure.
Measurement measure(const BalancerSetup& balancer, const Settings& settings);

}  // namespace phalanx::bench

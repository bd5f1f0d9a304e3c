// SPDX-License-Identifier: Apache-2.0
// What the balancer's maps take of the kernel's memory.
#pragma once

#include <vector>

#include "packet/balancer_setup.hpp"
#include "report.hpp"

namespace phalanx::bench {

// memory.idle: all maps as the default limits make them, in MiB; array and LRU maps take all of it when they
// are made, whatever is in them. table.memory: the rows of one service of 65,536 slots, in KiB.
// Throws BenchError when the kernel does not tell.
std::vector<Figure> measure_memory(const BalancerSetup& balancer);

}  // namespace phalanx::bench

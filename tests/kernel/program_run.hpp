// SPDX-License-Identifier: Apache-2.0
// One frame through one program of this kernel (BPF_PROG_TEST_RUN).
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "address.hpp"

namespace phalanx::test {

struct RunResult {
  std::uint32_t verdict = 0;  // enum xdp_action
  Bytes frame;
};

// frame: 14 to 3,500 bytes. ingress: the interface of this namespace that the packet comes in by, one with an
// XDP program; 0: the loopback interface.
RunResult run_program(int program_fd, const Bytes& frame, std::uint32_t ingress = 0);

// What BPF_PROG_TEST_RUN gives as ingress: the loopback interface.
std::uint32_t ingress_interface();

// Stops the test program with the sentence unless done: a test that cannot run has failed.
void require(bool done, const char* sentence);

// The sum over all processors of a row of a per-CPU array of T, whose fields are all 64-bit counts.
template <typename T>
T per_cpu_sum(const bpf_map* map, std::uint32_t row) {
  static_assert(sizeof(T) % sizeof(std::uint64_t) == 0);
  constexpr std::size_t kWords = sizeof(T) / sizeof(std::uint64_t);
  std::vector<std::uint64_t> values(kWords * static_cast<std::size_t>(libbpf_num_possible_cpus()));
  require(bpf_map__lookup_elem(map, &row, sizeof(row), values.data(), values.size() * 8, 0) == 0,
          "a row of a per-CPU map cannot be read");
  union {
    std::uint64_t words[kWords];
    T value;
  } sum{};
  for (std::size_t i = 0; i < values.size(); i++) sum.words[i % kWords] += values[i];
  return sum.value;
}

}  // namespace phalanx::test

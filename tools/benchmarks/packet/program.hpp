// SPDX-License-Identifier: Apache-2.0
// Runs a loaded XDP program many times over one frame, and says what the kernel says of it.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace phalanx::bench {

using Frame = std::vector<std::uint8_t>;

// The bench could not measure, or measured something else than it claims. The text is a sentence.
struct BenchError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct RunReport {
  double ns = 0;           // a run, the test loop included
  std::uint64_t runs = 0;  // how often the program ran
  std::uint32_t verdict = 0;
  Frame frame;  // after the last run
};

// repeats: 1000 or more. Throws BenchError when the kernel refuses.
RunReport run_repeated(int program_fd, const Frame& frame, std::uint32_t repeats);

struct ProgramSize {
  std::uint32_t verified;  // instructions that the verifier walked
  std::uint32_t translated;
  std::uint32_t machine_bytes;
};
ProgramSize size_of(int program_fd);

// The interface that test runs come in by.
std::uint32_t ingress_interface();

}  // namespace phalanx::bench

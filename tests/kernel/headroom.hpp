// SPDX-License-Identifier: Apache-2.0
// A program, run as if the driver had left less headroom than the 256 bytes that a test run has.
#pragma once

#include "program_run.hpp"

namespace phalanx::test {

// taken: bytes of headroom, up to 212, for the kernel keeps 40 for itself; frame: up to 4,096 - taken bytes.
RunResult run_program_with_headroom_taken(int program_fd, const Bytes& frame, std::uint32_t taken);

}  // namespace phalanx::test

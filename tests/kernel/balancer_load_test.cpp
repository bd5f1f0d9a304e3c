// SPDX-License-Identifier: Apache-2.0
// What the kernel thinks of the program.
#include <bpf/bpf.h>

#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

// Of a million that it allows: room for kernels that find fewer states alike, and for what is yet to come.
constexpr std::uint32_t kMostInstructions = 100'000;

TEST_F(Balancer, is_verified_in_a_tenth_of_the_instructions_that_the_kernel_allows) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  ASSERT_EQ(bpf_obj_get_info_by_fd(balancer.program_fd(), &info, &size), 0);
  EXPECT_GT(info.verified_insns, 0u);
  EXPECT_LT(info.verified_insns, kMostInstructions);
}

}  // namespace
}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
#include "headroom.hpp"

#include <memory>

#include "take_headroom.skel.h"

namespace phalanx::test {

RunResult run_program_with_headroom_taken(int program_fd, const Bytes& frame, std::uint32_t taken) {
  const std::unique_ptr<take_headroom_bpf, void (*)(take_headroom_bpf*)> object(
      take_headroom_bpf__open_and_load(), take_headroom_bpf__destroy);
  require(object != nullptr, "the program that takes headroom cannot be loaded");
  object->bss->taken = taken;
  const std::uint32_t first = 0;
  require(bpf_map__update_elem(object->maps.under_test, &first, sizeof(first), &program_fd,
                               sizeof(program_fd), BPF_ANY) == 0,
          "the program under test cannot be called by another");
  return run_program(bpf_program__fd(object->progs.take_headroom), frame);
}

}  // namespace phalanx::test

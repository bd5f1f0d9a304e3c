// SPDX-License-Identifier: Apache-2.0
#include "program_run.hpp"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>

#include "frame_log.hpp"

namespace phalanx::test {

void require(bool done, const char* sentence) {
  if (done) return;
  std::fprintf(stderr, "kernel tests: %s (%s); they need root and a kernel of 6.1 or newer\n", sentence,
               std::strerror(errno));
  std::exit(1);
}

RunResult run_program(int program_fd, const Bytes& frame, std::uint32_t ingress) {
  Bytes out(8192);
  xdp_md context{};
  context.data_end = static_cast<std::uint32_t>(frame.size());
  context.ingress_ifindex = ingress;
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<std::uint32_t>(frame.size());
  options.data_out = out.data();
  options.data_size_out = static_cast<std::uint32_t>(out.size());
  options.repeat = 1;
  if (ingress != 0) {
    options.ctx_in = &context;
    options.ctx_size_in = sizeof(context);
  }
  require(bpf_prog_test_run_opts(program_fd, &options) == 0, "BPF_PROG_TEST_RUN failed");
  out.resize(options.data_size_out);
  RunResult result{options.retval, std::move(out)};
  log_if_sent(frame, result);
  return result;
}

std::uint32_t ingress_interface() {
  return if_nametoindex("lo");
}

}  // namespace phalanx::test

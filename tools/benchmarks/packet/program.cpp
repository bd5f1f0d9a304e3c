// SPDX-License-Identifier: Apache-2.0
#include "packet/program.hpp"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <net/if.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <utility>

namespace phalanx::bench {

namespace {

// The kernel times a run in whole nanoseconds, too coarse for ratios of numbers as small as 25. The thread's
// processor time resolves it, once what the call itself takes is subtracted; it counts if the two agree.
constexpr double kDisagreement_ns = 1.5;
constexpr std::uint32_t kShortCall = 2;

double processor_time_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

struct Call {
  double processor_ns;
  std::uint32_t kernel_ns_per_run;
  std::uint32_t verdict;
  Frame frame;
};

Call call(int program_fd, const Frame& frame, std::uint32_t repeats) {
  Frame out(4096);
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<std::uint32_t>(frame.size());
  options.data_out = out.data();
  options.data_size_out = static_cast<std::uint32_t>(out.size());
  options.repeat = static_cast<int>(repeats);
  const double start = processor_time_ns();
  if (bpf_prog_test_run_opts(program_fd, &options) != 0) {
    throw BenchError("run an XDP program by BPF_PROG_TEST_RUN: " + std::string(std::strerror(errno)) +
                     "; run as root on Linux 6.1 or newer");
  }
  const double end = processor_time_ns();
  out.resize(options.data_size_out);
  return {end - start, options.duration, options.retval, std::move(out)};
}

}  // namespace

RunReport run_repeated(int program_fd, const Frame& frame, std::uint32_t repeats) {
  const Call brief = call(program_fd, frame, kShortCall);
  Call whole = call(program_fd, frame, repeats);
  const double coarse = whole.kernel_ns_per_run + 0.5;  // the kernel cuts the fraction off
  const double fine = (whole.processor_ns - brief.processor_ns) / (repeats - kShortCall);
  RunReport report;
  report.ns = std::abs(fine - coarse) < kDisagreement_ns ? fine : coarse;
  report.runs = std::uint64_t{repeats} + kShortCall;
  report.verdict = whole.verdict;
  report.frame = std::move(whole.frame);
  return report;
}

ProgramSize size_of(int program_fd) {
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  if (bpf_obj_get_info_by_fd(program_fd, &info, &length) != 0) {
    throw BenchError("ask the kernel about an XDP program: " + std::string(std::strerror(errno)));
  }
  return {info.verified_insns, info.xlated_prog_len / 8, info.jited_prog_len};
}

std::uint32_t ingress_interface() {
  return if_nametoindex("lo");
}

}  // namespace phalanx::bench

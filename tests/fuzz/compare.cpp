// SPDX-License-Identifier: Apache-2.0
// The native build of the programs against the programs loaded into this kernel: the same frames, one after
// the other, must have the same verdicts, bytes and counters.
//   compare_programs [FRAMES [SEED]]
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <phalanx.h>
#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <string>

#include "agent.skel.h"
#include "balancer.skel.h"
#include "frames.hpp"
#include "native/runtime.hpp"
#include "world.hpp"

namespace phalanx::fuzz {
namespace {

// The path limits its own answers to so many a second; both sides start a second afresh after as many frames.
constexpr std::uint32_t kFramesBetweenResets = 256;

[[noreturn]] void stop(const std::string& sentence) {
  std::cerr << "compare_programs: " << sentence << "\n";
  std::exit(1);
}

class LoadedProgram {
 public:
  LoadedProgram(bpf_object* object, bpf_program* program, const char* counters) : object_(object) {
    if (object == nullptr || ::bpf_object__load(object) != 0)
      stop("load a program: the kernel refuses; are you root?");
    program_ = ::bpf_program__fd(program);
    counters_ = ::bpf_object__find_map_by_name(object, counters);
  }

  void put(const std::string& map, const void* key, const void* value) {
    if (::bpf_map_update_elem(::bpf_object__find_map_fd_by_name(object_, map.c_str()), key, value, BPF_ANY) !=
        0) {
      stop("write a row of map " + map + ": the kernel refuses");
    }
  }

  NativeProgram::Result run(const Bytes& frame) {
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    options.data_out = out_;
    options.data_size_out = sizeof out_;
    if (::bpf_prog_test_run_opts(program_, &options) != 0) stop("run a frame: the kernel refuses");
    return {options.retval, {out_, out_ + options.data_size_out}};
  }

  // A count each, over all processors.
  std::vector<std::uint64_t> counters() const {
    const auto processors = static_cast<std::size_t>(::libbpf_num_possible_cpus());
    std::vector<std::uint64_t> sums;
    std::vector<std::uint64_t> values(processors);
    for (std::uint32_t row = 0; row < ::bpf_map__max_entries(counters_); ++row) {
      ::bpf_map__lookup_elem(counters_, &row, sizeof row, values.data(), processors * sizeof(std::uint64_t),
                             0);
      sums.push_back(std::accumulate(values.begin(), values.end(), std::uint64_t{0}));
    }
    return sums;
  }

  bpf_map* map(const char* name) const { return ::bpf_object__find_map_by_name(object_, name); }

 private:
  bpf_object* object_;
  int program_ = -1;
  const bpf_map* counters_ = nullptr;
  std::uint8_t out_[4096] = {};
};

void print(const char* what, const NativeProgram::Result& result) {
  std::printf("%s: verdict %u, %zu bytes:", what, result.verdict, result.frame.size());
  for (const std::uint8_t byte : result.frame) std::printf(" %02x", byte);
  std::printf("\n");
}

class Pair {
 public:
  Pair(const char* name, NativeProgram& native, LoadedProgram& loaded, const char* counters,
       void (*fill)(const PutRow&))
      : name_(name), native_(native), loaded_(loaded), counters_(counters) {
    fill([&](const std::string& map, const void* key, const void* value) {
      native_.map(map).update(key, value);
      loaded_.put(map, key, value);
    });
  }

  // The loaded program's verdict; stops at the first difference.
  NativeProgram::Result run(const Bytes& frame, std::uint64_t number, std::uint64_t seed) {
    const NativeProgram::Result ours = native_.run(frame);
    const NativeProgram::Result kernels = loaded_.run(frame);
    if (ours.verdict == kernels.verdict && std::ranges::equal(ours.frame, kernels.frame)) return kernels;
    std::printf("frame %llu of seed %llu, through the %s:\n", static_cast<unsigned long long>(number),
                static_cast<unsigned long long>(seed), name_);
    print("sent in", {0, frame});
    print("native", ours);
    print("kernel", kernels);
    stop("the native build and the loaded program differ");
  }

  void expect_same_counters(std::uint64_t seed) const {
    if (native_.map(counters_).words() != loaded_.counters()) {
      stop(std::string("the counters of the ") + name_ + " differ, seed " + std::to_string(seed));
    }
  }

 private:
  const char* name_;
  NativeProgram& native_;
  LoadedProgram& loaded_;
  const char* counters_;
};

// A row a processor.
void reset_answers(NativeProgram& native, const LoadedProgram& loaded) {
  native.map("answers").clear();
  const std::uint32_t row = 0;
  const std::vector<std::uint64_t> zeros(2 * static_cast<std::size_t>(::libbpf_num_possible_cpus()));
  ::bpf_map__update_elem(loaded.map("answers"), &row, sizeof row, zeros.data(), zeros.size() * 8, BPF_ANY);
}

// The kernel's look-ups find no sockets and no routes in a namespace that has none.
void leave_this_network() {
  if (::unshare(CLONE_NEWNET) != 0) stop("make a network namespace: the kernel refuses; are you root?");
}

void stay_on_this_processor() {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(::sched_getcpu(), &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

int compare(std::uint64_t frames, std::uint64_t seed) {
  leave_this_network();
  stay_on_this_processor();
  balancer_bpf* const balancer_skeleton = balancer_bpf::open();
  agent_bpf* const agent_skeleton = agent_bpf::open();
  LoadedProgram loaded_balancer(balancer_skeleton->obj, balancer_skeleton->progs.phalanx_xdp, "counters");
  LoadedProgram loaded_agent(agent_skeleton->obj, agent_skeleton->progs.phalanx_agent_xdp, "agent_counters");
  NativeProgram native_balancer(phalanx_xdp, balancer_maps);
  NativeProgram native_agent(phalanx_agent_xdp, agent_maps);
  Pair balancers("balancer", native_balancer, loaded_balancer, "counters", fill_balancer);
  Pair agents("agent", native_agent, loaded_agent, "agent_counters", fill_agent);
  Dice dice(seed);
  std::uint64_t verdicts[5] = {};
  for (std::uint64_t i = 0; i < frames; ++i) {
    if (i % kFramesBetweenResets == 0) reset_answers(native_balancer, loaded_balancer);
    const Bytes frame = make_frame(dice);
    const NativeProgram::Result sent = balancers.run(frame, i, seed);
    ++verdicts[std::min(sent.verdict, 4u)];
    agents.run(Bytes(sent.frame.begin(), sent.frame.end()), i, seed);
  }
  balancers.expect_same_counters(seed);
  agents.expect_same_counters(seed);
  std::cout << frames << " frames of seed " << seed << ": the same natively and in the kernel; dropped "
            << verdicts[XDP_DROP] << ", passed " << verdicts[XDP_PASS] << ", sent back " << verdicts[XDP_TX]
            << ", redirected " << verdicts[XDP_REDIRECT] << "\n";
  return 0;
}

}  // namespace
}  // namespace phalanx::fuzz

int main(int argc, char** argv) {
  const std::uint64_t frames = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  return phalanx::fuzz::compare(frames, seed);
}

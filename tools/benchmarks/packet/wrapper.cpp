// SPDX-License-Identifier: Apache-2.0
#include "packet/wrapper.hpp"

#include <bpf/bpf.h>

#include <cstring>

#include "packet_wrapper.skel.h"

namespace phalanx::bench {
namespace {

// IPv4: TTL, protocol and checksum. IPv6: payload length, next header and hop limit.
constexpr std::uint32_t kTtlWord = 14 + 8;
constexpr std::uint32_t kHopLimitWord = 14 + 4;
// Of TCP over IPv4.
constexpr std::size_t kDestination = 14 + 16;
constexpr std::size_t kPorts = 14 + 20;
constexpr std::size_t kTcpChecksum = kPorts + 16;

}  // namespace

Frame vary(Frame frame, std::uint32_t flow) {
  frame.at(28) = static_cast<std::uint8_t>(flow >> 24);
  frame.at(29) = static_cast<std::uint8_t>(flow >> 16);
  frame.at(34) = static_cast<std::uint8_t>(flow >> 8);
  frame.at(35) = static_cast<std::uint8_t>(flow);
  return frame;
}

void Wrapper::Close::operator()(packet_wrapper_bpf* object) const {
  packet_wrapper_bpf__destroy(object);
}

Wrapper::Wrapper(const Frame& frame, const Expectation& expectation)
    : frame_(frame), expectation_(expectation), object_(packet_wrapper_bpf__open()) {
  if (!object_) throw BenchError("open the wrapper's BPF object: it is damaged; build it anew");
  auto& settings = *object_->rodata;
  settings.pushed = expectation.pushed;
  settings.expected_verdict = expectation.verdict;
  settings.first_backend = expectation.first_backend;
  settings.backends = expectation.backends;
  settings.flows = expectation.flows;
  settings.outer_ip = expectation.outer_ip;
  settings.translated = expectation.translated ? 1 : 0;
  std::memcpy(&settings.destination, frame.data() + kDestination, sizeof(settings.destination));
  std::memcpy(&settings.ports, frame.data() + kPorts, sizeof(settings.ports));
  std::memcpy(&settings.checksum, frame.data() + kTcpChecksum, sizeof(settings.checksum));
  std::memcpy(&settings.ethernet_start, frame.data(), sizeof(settings.ethernet_start));
  std::memcpy(&settings.ethernet_middle, frame.data() + 8, sizeof(settings.ethernet_middle));
  std::memcpy(&settings.ethernet_type, frame.data() + 12, sizeof(settings.ethernet_type));
  settings.aging_at = frame.at(12) == 0x86 ? kHopLimitWord : kTtlWord;
  std::memcpy(&settings.aging, frame.data() + settings.aging_at, sizeof(settings.aging));
  if (packet_wrapper_bpf__load(object_.get()) != 0) {
    throw BenchError("load the wrapper: the kernel refuses it; run as root on Linux 6.1 or newer");
  }
}

Wrapper::~Wrapper() = default;

void Wrapper::wrap(int program_fd) {
  const std::uint32_t key = 0;
  if (bpf_map__update_elem(object_->maps.target, &key, sizeof(key), &program_fd, sizeof(program_fd), 0) !=
      0) {
    throw BenchError("wrap a program: the kernel does not let the wrapper call it");
  }
}

int Wrapper::fd_of(StandIn stand_in) const {
  switch (stand_in) {
    case StandIn::kTrivialTx:
      return bpf_program__fd(object_->progs.trivial_tx);
    case StandIn::kPushOnce:
      return bpf_program__fd(object_->progs.push_once);
    case StandIn::kPushTwice:
      return bpf_program__fd(object_->progs.push_twice);
  }
  __builtin_unreachable();
}

void Wrapper::wrap(StandIn stand_in) {
  wrap(fd_of(stand_in));
}

RunReport Wrapper::run(std::uint32_t repeats) {
  RunReport report = run_repeated(bpf_program__fd(object_->progs.wrapper), frame_, repeats);
  if (object_->bss->surprises != 0) {
    throw BenchError("measure a program: " + std::to_string(object_->bss->surprises) +
                     " verdicts or outer destinations were not what the case expects (the last verdict was " +
                     std::to_string(report.verdict) + ")");
  }
  const Frame expected =
      expectation_.flows > 1 ? vary(frame_, (object_->bss->turn - 1) & (expectation_.flows - 1)) : frame_;
  if (report.frame != expected) throw BenchError("measure a program: the wrapper did not restore its packet");
  return report;
}

}  // namespace phalanx::bench

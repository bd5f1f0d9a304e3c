// SPDX-License-Identifier: Apache-2.0
// A program made repeatable: called by a wrapper that judges and undoes what it did to the packet.
#pragma once

#include <memory>

#include "packet/program.hpp"

struct packet_wrapper_bpf;

namespace phalanx::bench {

// What the wrapped program is expected to do to the frame in each run.
struct Expectation {
  std::uint32_t verdict = 0;        // enum xdp_action
  std::uint32_t pushed = 0;         // bytes by which it lengthens the head, even
  std::uint32_t first_backend = 0;  // last four bytes of the lowest destination, host order
  std::uint32_t backends = 0;       // how many follow each other from there on
  std::uint32_t flows = 1;          // IPv4: the frame is varied into so many, a power of two
  std::uint32_t outer_ip = 0;       // bytes of the IP header whose destination it is; 0: nobody asks
  bool translated = false;          // IPv4: it changes the destination, its port and the checksum of TCP
};

// The frame of the flow of this number: its client's address and port are made of it.
Frame vary(Frame frame, std::uint32_t flow);

// One of the wrapper's own programs, that stand in for the measured one.
enum class StandIn { kTrivialTx, kPushOnce, kPushTwice };

class Wrapper {
 public:
  // frame: what every run starts from. Throws BenchError when the wrapper cannot be loaded.
  Wrapper(const Frame& frame, const Expectation& expectation);
  ~Wrapper();

  void wrap(int program_fd);
  void wrap(StandIn stand_in);
  [[nodiscard]] int fd_of(StandIn stand_in) const;

  // Throws BenchError when the program did anything but what is expected of it, in any of the runs.
  RunReport run(std::uint32_t repeats);

 private:
  struct Close {
    void operator()(packet_wrapper_bpf* object) const;
  };

  Frame frame_;
  Expectation expectation_;
  std::unique_ptr<packet_wrapper_bpf, Close> object_;
};

}  // namespace phalanx::bench

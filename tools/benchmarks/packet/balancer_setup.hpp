// SPDX-License-Identifier: Apache-2.0
// The balancer as shipped (the same object, its maps as large as the default limits make them), with services
// of 65,536 slots over 100 backends of each family, all up.
#pragma once

#include <memory>

#include "packet/program.hpp"
#include "packet/wrapper.hpp"
#include "phalanx.h"

struct balancer_bpf;

namespace phalanx::bench {

constexpr std::uint32_t kBackends = 100;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

class BalancerSetup {
 public:
  // Throws BenchError when the balancer cannot be loaded or its maps not be filled.
  BalancerSetup();
  ~BalancerSetup();

  [[nodiscard]] int program_fd() const;
  // What the balancer does to frames of services of this family.
  [[nodiscard]] static Expectation expectation(phx_family family);
  // Packets counted so far for the service of this family and protocol.
  [[nodiscard]] std::uint64_t packets(phx_family family, std::uint8_t protocol) const;
  // All packets that any counter or service has seen.
  [[nodiscard]] std::uint64_t all_packets() const;

 private:
  struct Close {
    void operator()(balancer_bpf* object) const;
  };

  void add_backends(phx_family family, std::uint32_t first_entry);
  // Sets the VIP's bit of the filter.
  void admit(const phx_vip_key& key);
  void add_service(phx_family family, std::uint8_t protocol, std::uint32_t first_entry);

  std::unique_ptr<balancer_bpf, Close> object_;
  phx_vip_filter filter_{};
};

// A TCP SYN or a UDP datagram of 64 bytes or more from a client to the family's VIP.
Frame frame_to_vip(phx_family family, std::uint8_t protocol);
// The same to an address that is no VIP.
Frame frame_to_stranger(phx_family family, std::uint8_t protocol);

}  // namespace phalanx::bench

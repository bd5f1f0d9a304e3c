// SPDX-License-Identifier: Apache-2.0
// The balancer as shipped (the same object, its maps as large as the default limits make them), with services
// of 65,536 slots over 100 backends of each family and mode, all up. All slots of one of the services are
// tracked.
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
constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kAck = 0x10;
constexpr std::uint16_t kPort = 80;
constexpr std::uint16_t kTrackedPort = 81;
constexpr std::uint16_t kGuePort = 82;   // of the service that is forwarded by gue
constexpr std::uint16_t kHopsPort = 84;  // of the one whose packets name two hops
constexpr std::uint16_t kNatPort = 83;   // of the one that is forwarded by nat

struct Service {
  phx_family family = PHX_FAMILY_IPV4;
  std::uint8_t protocol = kTcp;
  std::uint16_t port = kPort;
};

class BalancerSetup {
 public:
  // Throws BenchError when the balancer cannot be loaded or its maps not be filled.
  BalancerSetup();
  ~BalancerSetup();

  [[nodiscard]] int program_fd() const;
  [[nodiscard]] const balancer_bpf& object() const { return *object_; }
  // What the balancer does to frames of the service.
  [[nodiscard]] static Expectation expectation(const Service& service);
  // Packets counted so far for the service.
  [[nodiscard]] std::uint64_t packets(const Service& service) const;
  [[nodiscard]] std::uint64_t counter(phx_counter counter) const;
  // The share of the service's slots that its first flows (as vary() makes them of frame) fall into, 0 to 1.
  [[nodiscard]] static double slots_touched(const Service& service, const Frame& frame, std::uint32_t flows);
  // All packets that any counter or service has seen.
  [[nodiscard]] std::uint64_t all_packets() const;

 private:
  struct Close {
    void operator()(balancer_bpf* object) const;
  };

  void add_backends(phx_family family, phx_forward forward);
  // Sets the VIP's bit of the filter.
  void admit(const phx_vip_key& key);
  void add_service(const Service& service);

  std::unique_ptr<balancer_bpf, Close> object_;
  phx_vip_filter filter_{};
};

// A TCP segment or a UDP datagram of 54 bytes or more from a client to the service's VIP.
Frame frame_to_vip(const Service& service, std::uint8_t tcp_flags = kAck);
// The same to an address that is no VIP.
Frame frame_to_stranger(const Service& service);

}  // namespace phalanx::bench

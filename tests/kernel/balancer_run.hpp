// SPDX-License-Identifier: Apache-2.0
// The balancer as shipped, loaded into this kernel with maps of its own, and the words to configure it with.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>

#include "outcome.hpp"

struct balancer_bpf;

namespace phalanx::test {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint32_t kSlots = 4096;      // of every service of the tests
constexpr std::uint32_t kFlowSets = 256;    // of the flow table, PHX_FLOW_WAYS rows each
constexpr std::uint32_t kFragments = 1024;  // rows of the table of fragmented datagrams

class BalancerRun {
 public:
  // What is set at load time, and cannot be changed after.
  struct Settings {
    bool with_nat = true;
    bool with_agent = false;
  };

  BalancerRun() : BalancerRun(Settings{}) {}
  explicit BalancerRun(const Settings& settings);
  ~BalancerRun();

  // Writes the entry, up.
  void add(const Backend& backend);
  void set_state(const Backend& backend, std::uint64_t state);
  void take_down(const Backend& backend);
  // Writes what of backend is its next hop to the row not in use, and swings the state word to it.
  void move(const Backend& backend);

  // A VIP's own row, and its bit of the filter.
  void add_vip(const std::string& address);
  // What happens to packets to the VIP on a port without service.
  void set_unmatched(const std::string& address, phx_unmatched rule);
  // What the backend answers from its address and port is the VIP's.
  void translate_back(std::uint8_t protocol, const Backend& backend, const Endpoint& vip,
                      std::uint32_t service = 0);
  // Answers may leave straight through this interface.
  void add_interface(std::uint32_t interface);
  // Packets come in by this interface from now on, one with an XDP program.
  void come_in_by(std::uint32_t interface) { ingress_ = interface; }
  // As if as many VIPs were configured as the filter has bits: it tells nothing any more.
  void fill_vip_filter();
  // Both rows, and a table all of whose slots name these two. Returns the service's index.
  std::uint32_t serve(std::uint8_t protocol, const Endpoint& vip, const Backend& primary,
                      const Backend& backup);
  // The same with a table of the test's own making.
  std::uint32_t serve(std::uint8_t protocol, const Endpoint& vip,
                      const std::function<phx_slot(std::uint32_t)>& slot_at, std::uint64_t seed = 0x5eed);
  // The service's row as it stands, to be broken.
  void rewrite_service(std::uint32_t service, const std::function<void(phx_service&)>& change);
  void point_vip_at(std::uint8_t protocol, const Endpoint& vip, std::uint32_t service);
  // The row of `vip_cache` where the VIP's services may be.
  void cache(std::uint8_t protocol, const Endpoint& vip, const phx_vip_cache_row& row);
  [[nodiscard]] phx_vip_cache_row cached(std::uint8_t protocol, const Endpoint& vip) const;

  // All slots of the service, as they are from now on.
  void rewrite_slots(std::uint32_t service, const phx_slot& slot);

  // The flow table: what it has of the flow of packet, and a row put there for it.
  [[nodiscard]] std::optional<phx_flow_owner> remembered(const Packet& packet) const;
  void remember(const Packet& packet, const phx_flow_owner& owner);
  // Where the flow of packet lies in the flow table, if anywhere.
  struct FlowPlace {
    std::uint32_t set;
    std::uint64_t identity;
  };
  [[nodiscard]] FlowPlace place_of(const Packet& packet) const;
  // Rows of the flow table that hold a flow.
  [[nodiscard]] std::size_t flows() const;

  // Datagrams whose first fragment is recorded, and all of them this much older.
  [[nodiscard]] std::size_t records() const;
  void age_records(std::uint32_t seconds);
  // Whether the daemon's liveness is stale.
  void set_stale(bool stale);
  // As if all ICMP errors of this second had been sent, on every processor.
  void spend_answers();

  // For tests that do without the words above.
  [[nodiscard]] int program_fd() const;
  [[nodiscard]] int map_fd(const char* name) const;

  Outcome run(const Packet& packet, std::uint32_t headroom_taken = 0);
  Outcome run(const Bytes& frame);

 private:
  struct Close {
    void operator()(balancer_bpf* object) const;
  };
  struct Totals;

  [[nodiscard]] Totals totals() const;
  Outcome run(Outcome outcome, std::uint32_t headroom_taken);

  std::unique_ptr<balancer_bpf, Close> object_;
  void admit(const phx_vip_key& key);

  std::uint32_t services_ = 0;
  std::uint32_t ingress_ = 0;
};

// Two backends of each family, and services of both protocols and families on them.
class Balancer : public testing::Test {
 protected:
  const Endpoint client4{"203.0.113.7", 40000};
  const Endpoint client6{"2001:db8:c::7", 40000};
  const Endpoint vip4{"198.51.100.10", 80};
  const Endpoint vip6{"2001:db8:e::10", 80};
  const Backend b1{1, "10.0.1.11", "10.0.0.5", PHX_FORWARD_IPIP, true, {2, 0, 0, 0, 0xbb, 1}};
  const Backend b2{2, "10.0.2.12", "10.0.0.5", PHX_FORWARD_IPIP, true, {2, 0, 0, 0, 0xbb, 2}};
  const Backend b1_over_ipv6{3, "fd00:1::11", "fd00::5", PHX_FORWARD_IPIP, true, {2, 0, 0, 0, 0xbb, 3}};
  const Backend b2_over_ipv6{4, "fd00:2::12", "fd00::5", PHX_FORWARD_IPIP, true, {2, 0, 0, 0, 0xbb, 4}};
  const Backend b3_at_layer_2{5, "10.0.0.13", "", PHX_FORWARD_L2, true, {2, 0, 0, 0, 0xbb, 5}};
  const Backend b4_elsewhere{6, "10.0.4.14", "10.0.0.5", PHX_FORWARD_IPIP, false, {2, 0, 0, 0, 0xbb, 6}};

  Balancer();
  BalancerRun balancer;
};

}  // namespace phalanx::test

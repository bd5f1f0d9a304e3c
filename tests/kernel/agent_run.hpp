// SPDX-License-Identifier: Apache-2.0
// The agent as shipped, loaded into this kernel with maps of its own.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "core/address.hpp"
#include "outcome.hpp"

struct agent_bpf;

namespace phalanx::test {

// What is fixed when the agent is loaded.
struct AgentSettings {
  std::uint16_t gue_port = 0;                // 0 for the default
  std::vector<std::string> own_addresses{};  // at most one a family
  std::vector<std::uint32_t> namespaces{};   // ids
  bool has_shortcuts = true;                 // else VIPs, nodes and peers are in the maps alone
  bool remembers = true;                     // connections that a socket here has
};

class AgentRun {
 public:
  explicit AgentRun(const AgentSettings& settings = {});
  ~AgentRun();

  void add_vip(const std::string& address);
  // prefix_length: in bits, of the address alone.
  void add_nodes(const std::string& address, std::uint32_t prefix_length);
  void add_peers(const std::string& address, std::uint32_t prefix_length);
  // An interface of this namespace, with an XDP program; 0 for the loopback interface.
  void come_in_by(std::uint32_t interface) { ingress_ = interface; }
  // Bytes of headroom that the driver has taken already.
  void take_headroom(std::uint32_t bytes) { headroom_taken_ = bytes; }

  // Rows of connections that are remembered, 0 where a row is free.
  [[nodiscard]] std::vector<std::uint64_t> known() const;
  void set_known(std::uint32_t row, std::uint64_t value);

  [[nodiscard]] int program_fd() const;
  Outcome run(const Packet& packet);
  Outcome run(const Bytes& frame);

 private:
  struct Close {
    void operator()(agent_bpf* object) const;
  };

  [[nodiscard]] std::vector<std::uint64_t> totals() const;
  [[nodiscard]] RunResult run_once(const Bytes& frame) const;

  void refresh_shortcuts();

  std::unique_ptr<agent_bpf, Close> object_;
  bool has_shortcuts_;
  std::vector<core::Address> vips_;
  std::vector<core::Prefix> nodes_, peers_;
  std::uint32_t ingress_ = 0;
  std::uint32_t headroom_taken_ = 0;
};

// An agent with a VIP and nodes of each family.
class Agent : public testing::Test {
 protected:
  Agent() {
    agent.add_vip(vip4.address);
    agent.add_vip(vip6.address);
    agent.add_nodes("10.0.0.0", 24);
    agent.add_nodes("fd00::5", 128);
  }

  // The frame that holds the inner packet alone, with the MAC addresses of the tunnel packet.
  void expect_decapsulated(const Packet& tunnelled, const Packet& inner, const std::string& counter) {
    const Outcome outcome = agent.run(tunnelled);
    outcome.passed().counted({counter});
    EXPECT_EQ(hex(outcome.result.frame), hex(inner.frame()));
  }
  void expect_refused(const Packet& packet, const std::string& counter) {
    agent.run(packet).dropped().counted({counter});
  }
  void expect_passed(const Packet& packet, const std::string& counter) {
    agent.run(packet).passed().unchanged().counted({counter});
  }

  const Endpoint client4{"203.0.113.7", 40000};
  const Endpoint client6{"2001:db8:c::7", 40000};
  const Endpoint vip4{"198.51.100.10", 80};
  const Endpoint vip6{"2001:db8:e::10", 80};
  const std::string node4 = "10.0.0.5";
  const std::string node6 = "fd00::5";
  const std::string stranger4 = "10.0.1.5";
  const std::string stranger6 = "fd00::6";
  const std::string self4 = "10.0.1.11";
  const std::string self6 = "fd00:1::11";
  AgentRun agent;
};

}  // namespace phalanx::test

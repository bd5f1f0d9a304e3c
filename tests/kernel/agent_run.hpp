// SPDX-License-Identifier: Apache-2.0
// The agent as shipped, loaded into this kernel with maps of its own.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "outcome.hpp"

struct agent_bpf;

namespace phalanx::test {

class AgentRun {
 public:
  AgentRun();
  ~AgentRun();

  void add_vip(const std::string& address);
  // prefix_length: in bits, of the address alone.
  void add_nodes(const std::string& address, std::uint32_t prefix_length);

  Outcome run(const Packet& packet);
  Outcome run(const Bytes& frame);

 private:
  struct Close {
    void operator()(agent_bpf* object) const;
  };

  [[nodiscard]] std::vector<std::uint64_t> totals() const;

  std::unique_ptr<agent_bpf, Close> object_;
};

}  // namespace phalanx::test

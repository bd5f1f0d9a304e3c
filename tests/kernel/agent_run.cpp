// SPDX-License-Identifier: Apache-2.0
#include "agent_run.hpp"

#include <algorithm>

#include "agent.skel.h"

namespace phalanx::test {
namespace {

constexpr const char* kLabels[] = {
#define PHX_X(name, label, help) #label,
    PHX_AGENT_COUNTERS(PHX_X)
#undef PHX_X
};

template <typename Key>
void add(const bpf_map* map, const Key& key) {
  const std::uint32_t one = 1;
  require(bpf_map__update_elem(map, &key, sizeof(key), &one, sizeof(one), BPF_ANY) == 0,
          "a row of a map cannot be written");
}

}  // namespace

void AgentRun::Close::operator()(agent_bpf* object) const {
  agent_bpf__destroy(object);
}

AgentRun::AgentRun(std::uint16_t gue_port) : object_(agent_bpf__open()) {
  require(object_ != nullptr, "the agent's object cannot be opened");
  if (gue_port != 0) object_->rodata->gue_port = static_cast<std::uint16_t>(gue_port << 8 | gue_port >> 8);
  require(agent_bpf__load(object_.get()) == 0, "the agent cannot be loaded");
}

AgentRun::~AgentRun() = default;

void AgentRun::add_vip(const std::string& address) {
  phx_agent_vip key{};
  const auto bytes = map_address(address);
  std::copy(bytes.begin(), bytes.end(), key.address);
  key.family = map_family(address);
  add(object_->maps.agent_vips, key);
}

void AgentRun::add_nodes(const std::string& address, std::uint32_t prefix_length) {
  phx_agent_node key{};
  const auto bytes = map_address(address);
  std::copy(bytes.begin(), bytes.end(), key.address);
  key.family = map_family(address);
  key.prefix_length = 32 + prefix_length;
  add(object_->maps.agent_nodes, key);
}

std::vector<std::uint64_t> AgentRun::totals() const {
  std::vector<std::uint64_t> counters;
  for (std::uint32_t i = 0; i < PHX_AGENT_COUNTER_COUNT; i++) {
    counters.push_back(per_cpu_sum<std::uint64_t>(object_->maps.agent_counters, i));
  }
  return counters;
}

Outcome AgentRun::run(const Bytes& frame) {
  Outcome outcome;
  outcome.sent_in = frame;
  const auto before = totals();
  outcome.result = run_program(bpf_program__fd(object_->progs.phalanx_agent_xdp), frame);
  const auto after = totals();
  for (std::size_t i = 0; i < before.size(); i++) {
    if (before[i] != after[i]) outcome.counters[kLabels[i]] = after[i] - before[i];
  }
  return outcome;
}

Outcome AgentRun::run(const Packet& packet) {
  return run(packet.frame());
}

}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
#include "agent_run.hpp"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent.skel.h"
#include "agent/agent_shortcuts.hpp"
#include "headroom.hpp"

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

phx_agent_node node_key(const std::string& address, std::uint32_t prefix_length) {
  phx_agent_node key{};
  const auto bytes = map_address(address);
  std::copy(bytes.begin(), bytes.end(), key.address);
  key.family = map_family(address);
  key.prefix_length = 32 + prefix_length;
  return key;
}

}  // namespace

void AgentRun::Close::operator()(agent_bpf* object) const {
  agent_bpf__destroy(object);
}

AgentRun::AgentRun(const AgentSettings& settings)
    : object_(agent_bpf__open()), has_shortcuts_(settings.has_shortcuts) {
  require(object_ != nullptr, "the agent's object cannot be opened");
  auto& rodata = *object_->rodata;
  const std::uint16_t port = settings.gue_port;
  if (port != 0) rodata.gue_port = static_cast<std::uint16_t>(port << 8 | port >> 8);
  for (const std::string& address : settings.own_addresses) {
    const auto bytes = map_address(address);
    if (is_ipv6(address)) {
      std::memcpy(rodata.own_ipv6, bytes.data(), sizeof(rodata.own_ipv6));
    } else {
      std::memcpy(&rodata.own_ipv4, bytes.data(), sizeof(rodata.own_ipv4));
    }
  }
  for (const std::uint32_t id : settings.namespaces) rodata.namespaces[rodata.namespace_count++] = id;
  if (settings.remembers) {
    const auto keys = agent::random_flow_keys();
    require(keys.has_value(), "there are no random numbers");
    rodata.flow_keys = *keys;
  }
  require(agent_bpf__load(object_.get()) == 0, "the agent cannot be loaded");
}

AgentRun::~AgentRun() = default;

void AgentRun::add_vip(const std::string& address) {
  phx_agent_vip key{};
  const auto bytes = map_address(address);
  std::copy(bytes.begin(), bytes.end(), key.address);
  key.family = map_family(address);
  add(object_->maps.agent_vips, key);
  vips_.push_back(*core::parse_address(address));
  refresh_shortcuts();
}

void AgentRun::add_nodes(const std::string& address, std::uint32_t prefix_length) {
  add(object_->maps.agent_nodes, node_key(address, prefix_length));
  nodes_.push_back({*core::parse_address(address), static_cast<int>(prefix_length)});
  refresh_shortcuts();
}

void AgentRun::add_peers(const std::string& address, std::uint32_t prefix_length) {
  add(object_->maps.agent_peers, node_key(address, prefix_length));
  peers_.push_back({*core::parse_address(address), static_cast<int>(prefix_length)});
  refresh_shortcuts();
}

void AgentRun::refresh_shortcuts() {
  if (has_shortcuts_) object_->bss->shortcuts = agent::shortcuts_of(vips_, nodes_, peers_);
}

std::vector<std::uint64_t> AgentRun::known() const {
  std::vector<std::uint32_t> keys(PHX_AGENT_KNOWN_ROWS);
  std::vector<std::uint64_t> rows(PHX_AGENT_KNOWN_ROWS);
  std::uint32_t count = PHX_AGENT_KNOWN_ROWS;
  std::uint32_t last = 0;
  const int done = bpf_map_lookup_batch(bpf_map__fd(object_->maps.agent_known), nullptr, &last, keys.data(),
                                        rows.data(), &count, nullptr);
  require((done == 0 || errno == ENOENT) && count == PHX_AGENT_KNOWN_ROWS, "rows of a map cannot be read");
  return rows;
}

void AgentRun::set_known(std::uint32_t row, std::uint64_t value) {
  require(
      bpf_map__update_elem(object_->maps.agent_known, &row, sizeof(row), &value, sizeof(value), BPF_ANY) == 0,
      "a row of a map cannot be written");
}

std::vector<std::uint64_t> AgentRun::totals() const {
  std::vector<std::uint64_t> counters;
  for (std::uint32_t i = 0; i < PHX_AGENT_COUNTER_COUNT; i++) {
    counters.push_back(per_cpu_sum<std::uint64_t>(object_->maps.agent_counters, i));
  }
  return counters;
}

int AgentRun::program_fd() const {
  return bpf_program__fd(object_->progs.phalanx_agent_xdp);
}

RunResult AgentRun::run_once(const Bytes& frame) const {
  return headroom_taken_ == 0 ? run_program(program_fd(), frame, ingress_)
                              : run_program_with_headroom_taken(program_fd(), frame, headroom_taken_);
}

Outcome AgentRun::run(const Bytes& frame) {
  Outcome outcome;
  outcome.sent_in = frame;
  const auto before = totals();
  outcome.result = run_once(frame);
  const auto after = totals();
  for (std::size_t i = 0; i < before.size(); i++) {
    if (before[i] != after[i]) outcome.counters[kLabels[i]] = after[i] - before[i];
  }
  return outcome;
}

Outcome AgentRun::run(const Packet& packet) {
  Outcome outcome = run(packet.frame());
  outcome.shape = packet.shape();
  return outcome;
}

}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.hpp"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <set>

#include "adapters/bpf/pin_directory.hpp"
#include "adapters/bpf/pin_names.hpp"
#include "adapters/bpf/pinned_object.hpp"
#include "adapters/netlink/namespace_id.hpp"
#include "agent/agent_maps.hpp"
#include "agent/agent_shortcuts.hpp"
#include "agent/host.hpp"

namespace phalanx::agent {
namespace {

using adapters::PinDirectory;
using adapters::XdpDescription;
using adapters::XdpLink;

template <typename Value>
std::vector<Value> without(const std::set<Value>& values, const std::set<Value>& others) {
  std::vector<Value> left;
  std::set_difference(values.begin(), values.end(), others.begin(), others.end(), std::back_inserter(left));
  return left;
}

template <typename Value>
using Step = Result<void> (AgentMaps::*)(const Value&);

template <typename Value>
Result<void> all(AgentMaps& maps, Step<Value> step, const std::vector<Value>& values) {
  for (const Value& value : values) {
    if (Result<void> done = (maps.*step)(value); !done) {
      return done;
    }
  }
  return {};
}

struct Change {
  std::vector<core::Address> new_vips, old_vips;
  std::vector<core::Prefix> new_nodes, old_nodes, new_peers, old_peers;
};

Result<Change> change_to(const AgentMaps& maps, const adapters::AgentConfig& config) {
  const Result<std::set<core::Address>> vips = maps.vips();
  const Result<std::set<core::Prefix>> nodes = maps.nodes();
  const Result<std::set<core::Prefix>> peers = maps.peers();
  if (!vips || !nodes || !peers) {
    return Failure(!vips ? vips.error() : !nodes ? nodes.error() : peers.error());
  }
  const std::set<core::Address> wanted_vips(config.vips.begin(), config.vips.end());
  const std::set<core::Prefix> wanted_nodes(config.nodes.begin(), config.nodes.end());
  const std::set<core::Prefix> wanted_peers(config.peers.begin(), config.peers.end());
  return Change{without(wanted_vips, *vips),   without(*vips, wanted_vips),   without(wanted_nodes, *nodes),
                without(*nodes, wanted_nodes), without(wanted_peers, *peers), without(*peers, wanted_peers)};
}

// What was not added yet is not missed.
void take_back(AgentMaps& maps, const Change& change) {
  static_cast<void>(all(maps, &AgentMaps::remove_vip, change.new_vips));
  static_cast<void>(all(maps, &AgentMaps::remove_peer, change.new_peers));
  static_cast<void>(all(maps, &AgentMaps::remove_node, change.new_nodes));
}

// VIPs last: one whose nodes are missing would have its packets refused.
Result<void> add_new(AgentMaps& maps, const Change& change) {
  Result<void> added = all(maps, &AgentMaps::add_node, change.new_nodes);
  if (added) {
    added = all(maps, &AgentMaps::add_peer, change.new_peers);
  }
  if (added) {
    added = all(maps, &AgentMaps::add_vip, change.new_vips);
  }
  if (!added) {
    take_back(maps, change);
  }
  return added;
}

Result<void> remove_old(AgentMaps& maps, const Change& change) {
  if (Result<void> removed = all(maps, &AgentMaps::remove_vip, change.old_vips); !removed) {
    return removed;
  }
  if (Result<void> removed = all(maps, &AgentMaps::remove_peer, change.old_peers); !removed) {
    return removed;
  }
  return all(maps, &AgentMaps::remove_node, change.old_nodes);
}

std::optional<core::Address> global_address(const sockaddr* name) {
  core::Address address;
  if (name != nullptr && name->sa_family == AF_INET) {
    std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in*>(name)->sin_addr, 4);
    return address;
  }
  if (name == nullptr || name->sa_family != AF_INET6) {
    return std::nullopt;
  }
  const in6_addr& ipv6 = reinterpret_cast<const sockaddr_in6*>(name)->sin6_addr;
  if (IN6_IS_ADDR_LINKLOCAL(&ipv6) || IN6_IS_ADDR_LOOPBACK(&ipv6)) {
    return std::nullopt;
  }
  address.family = core::Family::ipv6;
  std::memcpy(address.bytes.data(), &ipv6, 16);
  return address;
}

// The first of each family that other hosts can answer to.
std::vector<core::Address> addresses_of(const std::string& interface) {
  std::vector<core::Address> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) {
    return found;
  }
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    const std::optional<core::Address> address =
        each->ifa_name == interface ? global_address(each->ifa_addr) : std::nullopt;
    const auto is_known = [&](const core::Address& other) { return other.family == address->family; };
    if (address && std::none_of(found.begin(), found.end(), is_known)) {
      found.push_back(*address);
    }
  }
  ::freeifaddrs(list);
  return found;
}

Result<AgentMaps::Settings> settings_of(const adapters::AgentConfig& config) {
  const Result<phx_agent_flow_keys> flow_keys = random_flow_keys();
  if (!flow_keys) {
    return Failure(flow_keys.error());
  }
  AgentMaps::Settings settings{config.gue_port,
                               config.addresses.empty() ? addresses_of(config.interface) : config.addresses,
                               {},
                               shortcuts_of(config.vips, config.nodes, config.peers),
                               *flow_keys};
  for (const std::string& name : config.namespaces) {
    const Result<std::uint32_t> id = adapters::namespace_id(name);
    if (!id) {
      return Failure(id.error());
    }
    settings.namespaces.push_back(*id);
  }
  return settings;
}

Result<void> detach_others(const PinDirectory& directory, const std::string& interface) {
  for (const std::string& linked : directory.linked_interfaces()) {
    if (linked == interface) {
      continue;
    }
    Result<std::optional<XdpLink>> link = XdpLink::adopt(directory, linked);
    if (!link) {
      return Failure(link.error());
    }
    if (*link) {
      if (Result<void> detached = (*link)->detach(); !detached) {
        return detached;
      }
    }
  }
  return {};
}

Result<void> keep_settings(AgentMaps& maps, const adapters::AgentConfig& config) {
  phx_agent_settings settings{};
  settings.gue_port = config.gue_port;
  for (const std::string& name : config.namespaces) {
    PHX_CHECK(settings.namespace_count < PHX_AGENT_MAX_NAMESPACES && name.size() < PHX_AGENT_NAMESPACE_BYTES);
    std::memcpy(settings.namespaces[settings.namespace_count++], name.data(), name.size());
  }
  return maps.set_settings(settings);
}

Result<XdpDescription> apply(const PinDirectory& directory, AgentMaps& maps,
                             const adapters::AgentConfig& config) {
  const Result<Change> change = change_to(maps, config);
  if (!change) {
    return Failure(change.error());
  }
  if (const Result<void> added = add_new(maps, *change); !added) {
    return Failure(added.error());
  }
  const Result<XdpLink> link =
      XdpLink::adopt_or_attach(directory, maps.program(), config.interface, config.xdp_mode);
  if (!link) {
    take_back(maps, *change);
    return Failure(link.error());
  }
  // From here on the new configuration is in force; what is left is to let go of the old one.
  Result<void> done = maps.pin_program(directory);
  if (done) {
    done = keep_settings(maps, config);
  }
  if (done) {
    done = remove_old(maps, *change);
  }
  if (done) {
    done = detach_others(directory, config.interface);
  }
  if (!done) {
    return Failure(done.error());
  }
  return link->describe();
}

// What the host says of connections and traps.
void look_around(const phx_agent_settings& settings, Status& status) {
  HostQuestion question{status.interfaces.empty() ? "" : status.interfaces.front().name,
                        status.vips,
                        status.nodes,
                        status.peers,
                        settings.gue_port,
                        {}};
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(settings.namespace_count, PHX_AGENT_MAX_NAMESPACES);
       ++i) {
    const char* const name = settings.namespaces[i];
    question.namespaces.emplace_back(name, ::strnlen(name, PHX_AGENT_NAMESPACE_BYTES));
  }
  HostFacts facts = read_host(question);
  status.connections = count_connections(question, facts.unreadable);
  status.warnings = diagnose(facts);
}

Result<void> apply_rows(const PinDirectory& directory, AgentMaps& maps, const adapters::AgentConfig& config) {
  const Result<Change> change = change_to(maps, config);
  if (!change) {
    return Failure(change.error());
  }
  Result<void> done = add_new(maps, *change);
  if (done) {
    done = maps.pin_program(directory);
  }
  return done ? remove_old(maps, *change) : done;
}

std::string nothing_there(const std::string& path) {
  return fmt::format("nothing is loaded at {}; run \"phalanx-agent up --config FILE\" first", path);
}

Result<void> refuse_balancer(const PinDirectory& directory) {
  if (directory.has(adapters::kStatePin)) {
    return fail(fmt::format("{} is the balancer's; choose another --pin-dir", directory.path()));
  }
  return {};
}

Result<PinDirectory> open_locked(const std::string& path, PinDirectory::IfMissing if_missing) {
  Result<PinDirectory> directory = PinDirectory::open(path, if_missing);
  if (!directory) {
    return directory;
  }
  Result<void> ready = directory->try_lock();
  if (ready) {
    ready = refuse_balancer(*directory);
  }
  if (!ready) {
    return Failure(ready.error());
  }
  return directory;
}

}  // namespace

Result<XdpDescription> up(const std::string& pin_directory, const adapters::AgentConfig& config) {
  Result<PinDirectory> directory = open_locked(pin_directory, PinDirectory::IfMissing::create);
  if (!directory) {
    return Failure(directory.error());
  }
  const Result<AgentMaps::Settings> settings = settings_of(config);
  if (!settings) {
    return Failure(settings.error());
  }
  if (AgentMaps::complete(*directory)) {
    Result<AgentMaps> maps = AgentMaps::reload(*directory, *settings);
    return maps ? apply(*directory, *maps, config) : Failure(maps.error());
  }
  if (const Result<void> removed = directory->remove_pins(); !removed) {
    return Failure(removed.error());
  }
  Result<AgentMaps> maps = AgentMaps::create(*directory, *settings);
  Result<XdpDescription> applied =
      maps ? apply(*directory, *maps, config) : Result<XdpDescription>(Failure(maps.error()));
  if (!applied) {
    static_cast<void>(directory->remove_everything());
  }
  return applied;
}

Result<adapters::Descriptor> embed(const std::string& pin_directory, const adapters::AgentConfig& config) {
  Result<PinDirectory> directory = open_locked(pin_directory, PinDirectory::IfMissing::create);
  if (!directory) {
    return Failure(directory.error());
  }
  const Result<AgentMaps::Settings> settings = settings_of(config);
  if (!settings) {
    return Failure(settings.error());
  }
  const bool there = AgentMaps::complete(*directory);
  Result<void> ready = there ? Result<void>() : directory->remove_pins();
  if (!ready) {
    return Failure(ready.error());
  }
  Result<AgentMaps> maps =
      there ? AgentMaps::reload(*directory, *settings) : AgentMaps::create(*directory, *settings);
  if (!maps) {
    return Failure(maps.error());
  }
  if (Result<void> applied = apply_rows(*directory, *maps, config); !applied) {
    return Failure(applied.error());
  }
  return adapters::duplicate(maps->program());
}

Result<void> down(const std::string& pin_directory) {
  if (!PinDirectory::exists(pin_directory)) {
    return {};
  }
  const Result<PinDirectory> directory = open_locked(pin_directory, PinDirectory::IfMissing::fail);
  if (!directory) {
    return Failure(directory.error());
  }
  return directory->remove_everything();
}

Result<Status> status(const std::string& pin_directory) {
  if (!PinDirectory::exists(pin_directory)) {
    return fail(nothing_there(pin_directory));
  }
  const Result<PinDirectory> directory = PinDirectory::open(pin_directory, PinDirectory::IfMissing::fail);
  if (!directory) {
    return Failure(directory.error());
  }
  if (!AgentMaps::complete(*directory)) {
    return fail(nothing_there(directory->path()));
  }
  const Result<AgentMaps> maps = AgentMaps::view(*directory);
  if (!maps) {
    return Failure(maps.error());
  }
  const Result<std::set<core::Address>> vips = maps->vips();
  const Result<std::set<core::Prefix>> nodes = maps->nodes();
  const Result<std::set<core::Prefix>> peers = maps->peers();
  Result<std::vector<std::uint64_t>> counters = maps->counters();
  if (!vips || !nodes || !peers || !counters) {
    return Failure(!vips ? vips.error() : !nodes ? nodes.error() : !peers ? peers.error() : counters.error());
  }
  const Result<phx_agent_settings> settings = maps->settings();
  if (!settings) {
    return Failure(settings.error());
  }
  Status status{{},
                {vips->begin(), vips->end()},
                {nodes->begin(), nodes->end()},
                {peers->begin(), peers->end()},
                std::move(*counters),
                {},
                {}};
  for (const std::string& interface : directory->linked_interfaces()) {
    const Result<std::optional<XdpLink>> link = XdpLink::adopt(*directory, interface);
    if (!link) {
      return Failure(link.error());
    }
    if (*link) {
      status.interfaces.push_back((*link)->describe());
    }
  }
  look_around(*settings, status);
  return status;
}

}  // namespace phalanx::agent

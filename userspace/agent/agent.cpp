// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include "adapters/bpf/pin_directory.hpp"
#include "adapters/bpf/pin_names.hpp"
#include "agent/agent_maps.hpp"

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

// Adds all of `values`; on failure takes back what it added.
template <typename Value>
Result<void> add_all(AgentMaps& maps, const std::vector<Value>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (Result<void> added = maps.add(values[i]); !added) {
      for (std::size_t j = 0; j < i; ++j) {
        static_cast<void>(maps.remove(values[j]));
      }
      return added;
    }
  }
  return {};
}

template <typename Value>
Result<void> remove_all(AgentMaps& maps, const std::vector<Value>& values) {
  for (const Value& value : values) {
    if (Result<void> removed = maps.remove(value); !removed) {
      return removed;
    }
  }
  return {};
}

struct Change {
  std::vector<core::Address> new_vips, old_vips;
  std::vector<core::Prefix> new_nodes, old_nodes;
};

Result<Change> change_to(const AgentMaps& maps, const adapters::AgentConfig& config) {
  const Result<std::set<core::Address>> vips = maps.vips();
  const Result<std::set<core::Prefix>> nodes = maps.nodes();
  if (!vips || !nodes) {
    return Failure(vips ? nodes.error() : vips.error());
  }
  const std::set<core::Address> wanted_vips(config.vips.begin(), config.vips.end());
  const std::set<core::Prefix> wanted_nodes(config.nodes.begin(), config.nodes.end());
  return Change{without(wanted_vips, *vips), without(*vips, wanted_vips), without(wanted_nodes, *nodes),
                without(*nodes, wanted_nodes)};
}

// Nodes first: a VIP whose nodes are missing would have its packets refused.
Result<void> add_new(AgentMaps& maps, const Change& change) {
  if (Result<void> added = add_all(maps, change.new_nodes); !added) {
    return added;
  }
  Result<void> added = add_all(maps, change.new_vips);
  if (!added) {
    static_cast<void>(remove_all(maps, change.new_nodes));
  }
  return added;
}

Result<void> remove_old(AgentMaps& maps, const Change& change) {
  if (Result<void> removed = remove_all(maps, change.old_vips); !removed) {
    return removed;
  }
  return remove_all(maps, change.old_nodes);
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
    static_cast<void>(remove_all(maps, change->new_vips));
    static_cast<void>(remove_all(maps, change->new_nodes));
    return Failure(link.error());
  }
  // From here on the new configuration is in force; what is left is to let go of the old one.
  Result<void> done = maps.pin_program(directory);
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
  if (AgentMaps::complete(*directory)) {
    Result<AgentMaps> maps = AgentMaps::reload(*directory, config.gue_port);
    return maps ? apply(*directory, *maps, config) : Failure(maps.error());
  }
  if (const Result<void> removed = directory->remove_pins(); !removed) {
    return Failure(removed.error());
  }
  Result<AgentMaps> maps = AgentMaps::create(*directory, config.gue_port);
  Result<XdpDescription> applied =
      maps ? apply(*directory, *maps, config) : Result<XdpDescription>(Failure(maps.error()));
  if (!applied) {
    static_cast<void>(directory->remove_everything());
  }
  return applied;
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
  Result<std::vector<std::uint64_t>> counters = maps->counters();
  if (!vips || !nodes || !counters) {
    return Failure(!vips ? vips.error() : !nodes ? nodes.error() : counters.error());
  }
  Status status{{}, {vips->begin(), vips->end()}, {nodes->begin(), nodes->end()}, std::move(*counters)};
  for (const std::string& interface : directory->linked_interfaces()) {
    const Result<std::optional<XdpLink>> link = XdpLink::adopt(*directory, interface);
    if (!link) {
      return Failure(link.error());
    }
    if (*link) {
      status.interfaces.push_back((*link)->describe());
    }
  }
  return status;
}

}  // namespace phalanx::agent

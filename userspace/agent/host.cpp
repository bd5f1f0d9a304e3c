// SPDX-License-Identifier: Apache-2.0
#include "agent/host.hpp"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <sstream>

#include "adapters/netlink/kernel_tables.hpp"
#include "adapters/netlink/namespace_id.hpp"
#include "adapters/netlink/tcp_connections.hpp"

namespace phalanx::agent {
namespace {

using core::Family;

// 0 where there is no such setting.
int setting(const std::string& family, const std::string& interface, const std::string& name) {
  std::ifstream file("/proc/sys/net/" + family + "/conf/" + interface + "/" + name);
  int value = 0;
  return file >> value ? value : 0;
}

std::uint32_t mtu_of(const std::string& interface) {
  std::uint32_t mtu = 0;
  if (auto tables = adapters::KernelTables::open()) {
    tables->links([&](const adapters::LinkRow& link) {
      if (link.name == interface) {
        mtu = link.mtu;
      }
    });
  }
  return mtu;
}

// man 5 proc: Iface Destination Gateway Flags RefCnt Use Metric Mask ..., the best route first.
DefaultRoute default_route_of(const std::string& interface) {
  std::ifstream routes("/proc/thread-self/net/route");
  std::string line;
  DefaultRoute found = DefaultRoute::none;
  while (std::getline(routes, line)) {
    std::istringstream words(line);
    std::string name, destination, skipped, mask;
    words >> name >> destination >> skipped >> skipped >> skipped >> skipped >> skipped >> mask;
    if (destination == "00000000" && mask == "00000000") {
      if (name == interface) {
        return DefaultRoute::by_this_interface;
      }
      found = DefaultRoute::by_another;
    }
  }
  return found;
}

// man 5 proc: sl, local address as HEX:PORT, remote address, state, queues, timer, retransmits, uid, timeout,
// inode, which sockets of the kernel's own have not.
PortOwner owner_in(const char* path, std::uint16_t port) {
  std::ifstream sockets(path);
  std::string line;
  while (std::getline(sockets, line)) {
    std::istringstream words(line);
    std::string local, skipped;
    std::uint64_t inode = 0;
    words >> skipped >> local;
    for (int i = 0; i < 7; ++i) {
      words >> skipped;
    }
    words >> inode;
    const std::size_t colon = local.find(':');
    if (words && colon != std::string::npos && local.substr(colon + 1) == fmt::format("{:04X}", port)) {
      return inode == 0 ? PortOwner::kernel : PortOwner::process;
    }
  }
  return PortOwner::nobody;
}

PortOwner owner_of(std::uint16_t port) {
  const PortOwner owner = owner_in("/proc/thread-self/net/udp", port);
  return owner != PortOwner::nobody ? owner : owner_in("/proc/thread-self/net/udp6", port);
}

std::set<Family> families_of(const std::vector<core::Prefix>& prefixes) {
  std::set<Family> families;
  for (const core::Prefix& prefix : prefixes) {
    families.insert(prefix.address.family);
  }
  return families;
}

// Of these, the ones that packets in this namespace end at, by an address or by a route of type local.
std::set<core::Address> local_ones(const std::vector<core::Address>& addresses,
                                   std::vector<std::string>& unreadable) {
  std::set<core::Address> local;
  auto tables = adapters::KernelTables::open();
  if (!tables) {
    unreadable.push_back(tables.error().message);
    return local;
  }
  for (const core::Address& address : addresses) {
    const adapters::RouteAnswer answer = tables->route(address);
    if (answer.route && answer.route->type == RTN_LOCAL) {
      local.insert(address);
    }
  }
  return local;
}

void in_each_namespace(const std::vector<std::string>& names, const std::function<void()>& act,
                       std::vector<std::string>& unreadable) {
  for (const std::string& name : names) {
    if (const Result<void> done = adapters::in_namespace(name, act); !done) {
      unreadable.push_back(done.error().message + "; run \"phalanx-agent up\" again when it is there");
    }
  }
}

void read_interface(HostFacts& facts) {
  const std::string& name = facts.interface;
  facts.mtu = mtu_of(name);
  facts.rp_filter = std::max(setting("ipv4", "all", "rp_filter"), setting("ipv4", name, "rp_filter"));
  facts.accept_local =
      setting("ipv4", "all", "accept_local") != 0 || setting("ipv4", name, "accept_local") != 0;
  facts.default_route = default_route_of(name);
  facts.forwarding4 = setting("ipv4", name, "forwarding") != 0;
  facts.forwarding6 = setting("ipv6", name, "forwarding") != 0;
}

}  // namespace

HostFacts read_host(const HostQuestion& question) {
  HostFacts facts;
  facts.interface = question.interface;
  facts.vips = question.vips;
  facts.node_families = families_of(question.nodes);
  facts.peer_families = families_of(question.peers);
  facts.gue_port = question.gue_port;
  facts.gue_port_owner = owner_of(question.gue_port);
  if (!facts.interface.empty()) {
    read_interface(facts);
  }
  facts.vips_here = local_ones(facts.vips, facts.unreadable);
  in_each_namespace(
      question.namespaces, [&] { facts.vips_in_namespaces.merge(local_ones(facts.vips, facts.unreadable)); },
      facts.unreadable);
  return facts;
}

std::map<core::Endpoint, std::uint64_t> count_connections(const HostQuestion& question,
                                                          std::vector<std::string>& unreadable) {
  const std::set<core::Address> vips(question.vips.begin(), question.vips.end());
  std::map<core::Endpoint, std::uint64_t> counts;
  const auto count = [&] {
    const Result<void> done = adapters::each_tcp_connection([&](const core::Endpoint& local) {
      if (vips.contains(local.address)) {
        ++counts[local];
      }
    });
    if (!done) {
      unreadable.push_back(done.error().message);
    }
  };
  count();
  std::vector<std::string> told_already;  // by read_host()
  in_each_namespace(question.namespaces, count, told_already);
  return counts;
}

}  // namespace phalanx::agent

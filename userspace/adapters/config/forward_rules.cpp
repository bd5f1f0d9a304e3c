// SPDX-License-Identifier: Apache-2.0
#include "adapters/config/forward_rules.hpp"

#include <algorithm>
#include <map>
#include <string>

namespace phalanx::adapters {

namespace {

constexpr int kUsualPacket = 1500;      // what clients send where nothing is smaller on their way
constexpr int kLargestTcpHeaders = 60;  // IPv6 and TCP, without options

void check_l2_families(const core::Config& config, std::size_t index, RuleReport& report) {
  const core::Service& service = config.services[index];
  for (std::size_t i = 0; i < service.backends.size(); ++i) {
    const core::Address& address = service.backends[i].endpoint.address;
    const auto other = std::find_if(service.vips.begin(), service.vips.end(), [&](const core::Address& vip) {
      return vip != kUnread && vip.family != address.family;
    });
    if (address != kUnread && other != service.vips.end()) {
      report.error(backend_pointer(index, i) + "/address",
                   "\"l2\" hands packets on as they are, so " + to_string(address) +
                       " cannot serve the VIP " + to_string(*other) +
                       " of the other family; use \"forward\": \"ipip\" or split the service");
    }
  }
}

void check_nat_families(const core::Config& config, std::size_t index, RuleReport& report) {
  const core::Service& service = config.services[index];
  if (service.vips.size() > 1) {
    report.error(service_pointer(index) + "/vips/1",
                 "a \"nat\" service has one VIP, since what a backend answers leaves as one, and " +
                     quoted(service.name) + " has " + to_string(service.vips[0]) + " and " +
                     to_string(service.vips[1]) + "; write a service for each, with backends of its own");
    return;
  }
  for (std::size_t i = 0; i < service.backends.size() && !service.vips.empty(); ++i) {
    const core::Address& address = service.backends[i].endpoint.address;
    const core::Address& vip = service.vips.front();
    if (address != kUnread && vip != kUnread && address.family != vip.family) {
      report.error(backend_pointer(index, i) + "/address",
                   "\"nat\" keeps a packet's family, so " + to_string(address) + " cannot serve the VIP " +
                       to_string(vip) + " of the other family; write a service for each family");
    }
  }
}

// Packets of all modes but nat keep their destination.
void check_ports(const core::Config& config, std::size_t index, RuleReport& report) {
  const core::Service& service = config.services[index];
  for (std::size_t i = 0; i < service.backends.size(); ++i) {
    const std::uint16_t port = service.backends[i].endpoint.port;
    if (port != service.port && port != 0 && service.port != 0) {
      report.warning(backend_pointer(index, i) + "/port",
                     "packets keep the service's port " + std::to_string(service.port) +
                         " under this forwarding; port " + std::to_string(port) + " is only probed");
    }
  }
}

struct Claim {
  std::size_t service = 0;
  core::Endpoint vip;
};
using Claims = std::map<core::Endpoint, Claim>;

void check_claims(const core::Config& config, std::size_t index, Claims& claims, RuleReport& report) {
  const core::Service& service = config.services[index];
  if (service.vips.size() != 1 || service.vips.front() == kUnread || service.port == 0) {
    return;
  }
  const core::Endpoint vip{service.vips.front(), service.port};
  for (std::size_t i = 0; i < service.backends.size(); ++i) {
    const core::Endpoint& backend = service.backends[i].endpoint;
    if (backend.address == kUnread || backend.port == 0) {
      continue;
    }
    const auto [first, fresh] = claims.emplace(backend, Claim{index, vip});
    if (fresh || first->second.vip == vip) {
      continue;
    }
    const core::Service& other = config.services[first->second.service];
    report.error(backend_pointer(index, i) + "/address",
                 "in \"nat\" a backend's address and port belong to one VIP and port, but the services " +
                     quoted(other.name) + " (" + report.line_text(service_pointer(first->second.service)) +
                     ") and " + quoted(service.name) + " claim " + to_string(backend) + " for " +
                     to_string(first->second.vip) + " and " + to_string(vip) +
                     "; give one of them another port, or another backend");
  }
}

// The mode and family that put most before a packet, and who uses them.
struct Outer {
  int size = 0;
  std::string what;
};

Outer largest_outer(const core::Config& config) {
  Outer largest;
  for (const core::Service& service : config.services) {
    for (const core::Backend& backend : service.backends) {
      const core::Family family = backend.endpoint.address.family;
      const int size = core::outer_size(service.forward, family) + core::hops_size(service);
      if (size > largest.size) {
        largest = {size, quoted(to_string(service.forward)) + " to " +
                             (family == core::Family::ipv4 ? "IPv4" : "IPv6") + " backends (service " +
                             quoted(service.name) + ")"};
      }
    }
  }
  return largest;
}

void check_agent(const core::Config& config, RuleReport& report) {
  const core::Service* first = nullptr;
  for (std::size_t i = 0; i < config.services.size(); ++i) {
    const core::Service& service = config.services[i];
    if (service.forward != core::Forward::gue) {
      continue;
    }
    if (first != nullptr && first->gue_port != service.gue_port) {
      report.error(service_pointer(i) + "/gue_port",
                   "the agent of this node (\"node.agent\") listens on one port, and the services " +
                       quoted(first->name) + " and " + quoted(service.name) + " name " +
                       std::to_string(first->gue_port) + " and " + std::to_string(service.gue_port));
    }
    first = &service;
  }
  if (first == nullptr) {
    report.error("/node/agent",
                 "a node that is a backend too takes what is forwarded to it by gue, and no service has "
                 "\"forward\": \"gue\"");
  }
}

}  // namespace

void check_forwarding(const core::Config& config, RuleReport& report) {
  if (config.node.agent) {
    check_agent(config, report);
  }
  Claims claims;
  for (std::size_t i = 0; i < config.services.size(); ++i) {
    if (config.services[i].forward == core::Forward::nat) {
      check_nat_families(config, i, report);
      check_claims(config, i, claims, report);
      continue;
    }
    if (config.services[i].forward == core::Forward::l2) {
      check_l2_families(config, i, report);
    }
    check_ports(config, i, report);
  }
}

void check_room(const core::Config& config, const InterfaceMtu& mtu_of, RuleReport& report) {
  const Outer outer = largest_outer(config);
  for (std::size_t i = 0; i < config.node.interfaces.size() && outer.size > 0; ++i) {
    const std::string& interface = config.node.interfaces[i];
    const auto mtu = mtu_of(interface);
    if (!mtu || *mtu >= kUsualPacket + outer.size) {
      continue;
    }
    const std::string wanted = std::to_string(kUsualPacket + outer.size);
    const int room = *mtu - outer.size;
    report.warning(
        "/node/interfaces/" + std::to_string(i),
        interface + " has an MTU of " + std::to_string(*mtu) + ", and " + outer.what + " takes " +
            std::to_string(outer.size) + " bytes: packets of more than " + std::to_string(room) +
            " do not fit, and their senders are told so; raise the MTU from here to the backends to " +
            wanted + " (ip link set " + interface + " mtu " + wanted +
            "), or make the backends ask for less (advmss " + std::to_string(room - kLargestTcpHeaders) +
            " on their routes)");
  }
}

}  // namespace phalanx::adapters

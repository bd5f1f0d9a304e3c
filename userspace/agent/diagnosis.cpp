// SPDX-License-Identifier: Apache-2.0
#include "agent/diagnosis.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace phalanx::agent {
namespace {

using core::Family;
using Sentences = std::vector<std::string>;

constexpr std::uint32_t kClientMtu = 1500;
constexpr int kStrict = 1;  // RFC 3704: the way back must lead through the interface that the packet came by
constexpr int kLoose = 2;   // there must be some way back

// Bytes before a client's packet, by the family of the tunnel: ipip, and gue with the two hops that nodes
// name.
struct Overhead {
  std::uint32_t ipip, gue;
};

Overhead overhead_of(const HostFacts& facts) {
  return facts.node_families.contains(Family::ipv6) ? Overhead{40, 88} : Overhead{20, 44};
}

bool has_vip_of(const HostFacts& facts, Family family) {
  return std::any_of(facts.vips.begin(), facts.vips.end(),
                     [&](const core::Address& vip) { return vip.family == family; });
}

void judge_vips(const HostFacts& facts, Sentences& sentences) {
  for (const core::Address& vip : facts.vips) {
    if (!facts.vips_here.contains(vip) && !facts.vips_in_namespaces.contains(vip)) {
      sentences.push_back(fmt::format(
          "{} is an address neither of this host nor of a network namespace in agent.namespaces: packets for "
          "it leave the tunnel and find nobody; run \"ip address add {}/{} dev lo\" where its server is",
          to_string(vip), to_string(vip), vip.size() * 8));
    }
  }
}

void judge_reverse_path(const HostFacts& facts, Sentences& sentences) {
  if (!has_vip_of(facts, Family::ipv4)) {
    return;
  }
  if (facts.rp_filter == kStrict && facts.default_route != DefaultRoute::by_this_interface) {
    sentences.push_back(fmt::format(
        "rp_filter is strict on {0}, and the default route does not lead through it: packets of clients are "
        "dropped when they leave the tunnel; run \"sysctl -w net.ipv4.conf.all.rp_filter=0 "
        "net.ipv4.conf.{0}.rp_filter=0\" (the higher of the two counts)",
        facts.interface));
  } else if (facts.rp_filter == kLoose && facts.default_route == DefaultRoute::none) {
    sentences.push_back(fmt::format(
        "rp_filter is loose on {0}, and there is no default route: packets of clients to whom no other route "
        "leads are dropped when they leave the tunnel; add a default route, or run \"sysctl -w "
        "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.{0}.rp_filter=0\"",
        facts.interface));
  }
}

void judge_mtu(const HostFacts& facts, Sentences& sentences) {
  const Overhead overhead = overhead_of(facts);
  if (facts.mtu == 0 || facts.mtu >= kClientMtu + overhead.gue) {
    return;
  }
  const bool takes_ipip = facts.mtu >= kClientMtu + overhead.ipip;
  sentences.push_back(fmt::format(
      "the MTU of {0} is {1}, and clients' packets of {2} bytes come in tunnels of up to {3} ({4}): larger "
      "ones may be lost on the way; run \"ip link set {0} mtu {3}\" here and on all of the way from the "
      "nodes, or give the routes to clients a smaller advmss",
      facts.interface, facts.mtu, kClientMtu, kClientMtu + overhead.gue,
      takes_ipip ? "gue with hops; ipip fits" : "gue with hops; ipip needs less, and does not fit either"));
}

void judge_forwarding(const HostFacts& facts, Sentences& sentences) {
  const auto judge = [&](Family family, bool forwards, const char* name, const char* more) {
    if (facts.peer_families.contains(family) && !forwards) {
      sentences.push_back(fmt::format(
          "{1} forwarding is off on {0}: what is passed on to peers goes back to the router or node that it "
          "came from, which must forward it; run \"sysctl -w net.{1}.conf.{0}.forwarding=1\"{2} to send it "
          "straight",
          facts.interface, name, more));
    }
  };
  judge(Family::ipv4, facts.forwarding4, "ipv4", "");
  judge(Family::ipv6, facts.forwarding6, "ipv6", " (with accept_ra=2, if routers advertise its routes)");
}

// A packet from one of the host's own addresses that comes in by an interface is a martian (RFC 1812 section
// 5.3.7) to Linux unless accept_local is set. One from this host to a VIP of its own never leaves.
void judge_own_clients(const HostFacts& facts, Sentences& sentences) {
  const auto is_elsewhere = [&](const core::Address& vip) {
    return vip.family == Family::ipv4 && !facts.vips_here.contains(vip) &&
           facts.vips_in_namespaces.contains(vip);
  };
  if (!facts.accept_local && std::any_of(facts.vips.begin(), facts.vips.end(), is_elsewhere)) {
    sentences.push_back(fmt::format(
        "accept_local is off on {0}, and there are VIPs in other network namespaces: connections that this "
        "host makes to them come back through a node with an address of its own as their source, and are "
        "dropped; run \"sysctl -w net.ipv4.conf.{0}.accept_local=1\" if there are any",
        facts.interface));
  }
}

void judge_port(const HostFacts& facts, Sentences& sentences) {
  if (facts.gue_port_owner == PortOwner::kernel) {
    sentences.push_back(fmt::format(
        "UDP port {0}, where the agent takes GUE, is that of a tunnel of the kernel's own too, which gets "
        "what "
        "is for no VIP, and nothing else that nodes and peers send; run \"ip fou del port {0}\", or give the "
        "agent and its nodes another gue_port",
        facts.gue_port));
  } else if (facts.gue_port_owner == PortOwner::process) {
    sentences.push_back(fmt::format(
        "a process has a socket on UDP port {0}, where the agent takes GUE: what nodes and peers send there "
        "does not reach it; \"ss -ulnp sport = {0}\" names the process, gue_port gives the agent and its "
        "nodes "
        "another port",
        facts.gue_port));
  }
}

}  // namespace

std::vector<std::string> diagnose(const HostFacts& facts) {
  Sentences sentences = facts.unreadable;
  judge_vips(facts, sentences);
  if (!facts.interface.empty()) {
    judge_reverse_path(facts, sentences);
    judge_mtu(facts, sentences);
    judge_port(facts, sentences);
    judge_forwarding(facts, sentences);
    judge_own_clients(facts, sentences);
  }
  return sentences;
}

}  // namespace phalanx::agent

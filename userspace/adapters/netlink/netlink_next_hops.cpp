// SPDX-License-Identifier: Apache-2.0
#include "adapters/netlink/netlink_next_hops.hpp"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace phalanx::adapters {

namespace {

using std::chrono::steady_clock;

// One change of the network makes many messages: those that come within this time are looked at together.
constexpr std::chrono::milliseconds kCoalescing{1};
// At about 10 us each, a step stays below 1 ms; then the loop gets its turn.
constexpr int kTargetsAStep = 64;
constexpr int kDatagramsAStep = 64;
constexpr std::chrono::milliseconds kTick{1000};

constexpr int kUsableStates = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;

// 0: not known. IP packets have at most 65535 bytes.
std::uint16_t mtu_of(std::uint32_t route, std::uint32_t device) {
  const std::uint32_t mtu = route != 0 && (device == 0 || route < device) ? route : device;
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(mtu, 65535));
}

}  // namespace

Result<std::unique_ptr<NetlinkNextHops>> NetlinkNextHops::open(EventLoop& loop, Sink sink) {
  auto tables = KernelTables::open();
  if (!tables) {
    return fail(std::move(tables.error().message));
  }
  auto events = NetlinkSocket::open({RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                     RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_RULE,
                                     RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP});
  if (!events) {
    return fail(std::move(events.error().message));
  }
  return std::unique_ptr<NetlinkNextHops>(
      new NetlinkNextHops(loop, std::move(sink), std::move(*tables), std::move(*events)));
}

NetlinkNextHops::NetlinkNextHops(EventLoop& loop, Sink sink, KernelTables tables, NetlinkSocket events)
    : sink_(std::move(sink)), tables_(std::move(tables)), events_(std::move(events)) {
  readable_ = loop.watch(events_.fd(), EPOLLIN, [this](std::uint32_t) { read_events(); });
  work_timer_ = loop.timer([this] { work(); });
  tick_timer_ = loop.timer([this] { tick(); });
  read_links();
}

void NetlinkNextHops::watch(const core::Address& target) {
  if (++targets_[target].watchers == 1) {
    look_at(target);
  }
  if (targets_.size() == 1) {
    tick_timer_.arm(steady_clock::now() + kTick);
  }
}

void NetlinkNextHops::unwatch(const core::Address& target) {
  const auto found = targets_.find(target);
  PHX_CHECK(found != targets_.end());
  if (--found->second.watchers > 0) {
    return;
  }
  use_neighbour(target, found->second.path, std::nullopt);
  targets_.erase(found);
  targets_to_look_at_.erase(target);
  if (targets_.empty()) {
    tick_timer_.disarm();
  }
}

void NetlinkNextHops::read_events() {
  if (events_.read_events(kDatagramsAStep, [this](const nlmsghdr& message) { on_event(message); })) {
    read_all_again();
  }
}

void NetlinkNextHops::on_event(const nlmsghdr& message) {
  switch (message.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      if (const auto row = link_row(message)) {
        on_link(*row, message.nlmsg_type == RTM_DELLINK);
      }
      return;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      if (const auto row = neighbour_row(message)) {
        look_at_neighbour(row->key);
      }
      return;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      if (const auto change = route_change(message)) {
        on_route(change->destination);
      }
      return;
    default:  // addresses, rules and next hop objects: anything may have moved
      look_at_all();
  }
}

// The kernel drops and revives IPv4 routes with their link without saying so: all routes are asked again.
void NetlinkNextHops::on_link(const LinkRow& row, bool deleted) {
  const auto known = links_.find(row.index);
  if (deleted) {
    links_.erase(row.index);
  } else if (known != links_.end() && known->second == row) {
    return;  // statistics and the like
  } else {
    links_[row.index] = row;
  }
  look_at_all();
}

void NetlinkNextHops::on_route(const core::Prefix& destination) {
  const core::Address last = core::last_of(destination);
  for (auto it = targets_.lower_bound(destination.address); it != targets_.end() && it->first <= last; ++it) {
    it->second.route_stale = true;
    look_at(it->first);
  }
}

bool NetlinkNextHops::knows_all() const {
  return std::ranges::all_of(targets_,
                             [](const auto& target) { return target.second.delivered.has_value(); });
}

void NetlinkNextHops::read_all_again() {
  read_links();
  look_at_all();
  for (const auto& [key, neighbour] : neighbours_) {
    look_at_neighbour(key);
  }
}

void NetlinkNextHops::read_links() {
  links_.clear();
  tables_.links([this](LinkRow row) { links_[row.index] = std::move(row); });
}

void NetlinkNextHops::serve_this_host(bool serve) {
  if (std::exchange(serves_this_host_, serve) != serve) {
    look_at_all();
  }
}

void NetlinkNextHops::look_at(const core::Address& target) {
  targets_to_look_at_.insert(target);
  schedule();
}

void NetlinkNextHops::look_at_all() {
  for (auto& [address, target] : targets_) {
    target.route_stale = true;
    look_at(address);
  }
}

void NetlinkNextHops::look_at_neighbour(const NeighbourKey& key) {
  if (neighbours_.contains(key)) {
    neighbours_to_look_at_.insert(key);
    schedule();
  }
}

void NetlinkNextHops::schedule() {
  if (!std::exchange(scheduled_, true)) {
    work_timer_.arm(steady_clock::now() + kCoalescing);
  }
}

void NetlinkNextHops::work() {
  scheduled_ = false;
  int left = kTargetsAStep;
  for (; left > 0 && !neighbours_to_look_at_.empty(); --left) {
    const auto key = neighbours_to_look_at_.extract(neighbours_to_look_at_.begin()).value();
    if (const auto found = neighbours_.find(key); found != neighbours_.end()) {
      read_neighbour(key, found->second);
    }
  }
  for (; left > 0 && !targets_to_look_at_.empty(); --left) {
    const auto address = targets_to_look_at_.extract(targets_to_look_at_.begin()).value();
    if (const auto found = targets_.find(address); found != targets_.end()) {
      resolve(address, found->second);  // the sink may change targets_
    }
  }
  if (!neighbours_to_look_at_.empty() || !targets_to_look_at_.empty()) {
    scheduled_ = true;
    work_timer_.arm(steady_clock::now());
  }
}

void NetlinkNextHops::tick() {
  const SteadyTime now = steady_clock::now();
  const bool refresh = now - last_refresh_ >= kRefresh;
  last_refresh_ = refresh ? now : last_refresh_;
  for (auto& [key, neighbour] : neighbours_) {
    const bool unusable = neighbour.answer != Answer::usable;
    if (!neighbour.fixed && (unusable || (refresh && !neighbour.managed))) {
      ask_neighbour(key, neighbour);
      look_at_neighbour(key);
    }
    if (neighbour.answer == Answer::pending) {
      for (const core::Address& user : neighbour.users) {
        look_at(user);  // their patience may be over
      }
    }
  }
  tick_timer_.arm(now + kTick);
}

void NetlinkNextHops::resolve(const core::Address& address, Target& target) {
  if (std::exchange(target.route_stale, false)) {
    find_path(address, target);
  }
  auto outcome = judge(address, target);
  if (!outcome || outcome == target.delivered) {
    return;
  }
  target.delivered = outcome;
  sink_({address, outcome->hop, std::move(outcome->reason)});
}

void NetlinkNextHops::find_path(const core::Address& address, Target& target) {
  const RouteAnswer answer = tables_.route(address);
  const std::optional<Path> before = std::exchange(target.path, std::nullopt);
  const std::string name = to_string(address);
  target.is_this_host = answer.route && answer.route->type == RTN_LOCAL;
  if (!answer.route) {
    const bool plain = answer.error == ENETUNREACH || answer.error == 0;
    target.no_path = "no route to " + name + (plain ? "" : std::string(": ") + std::strerror(answer.error));
  } else if (answer.route->type != RTN_UNICAST) {
    target.no_path = target.is_this_host
                         ? name + " is an address of this host; \"node.agent\": true serves it"
                         : "the route to " + name + " is no unicast route";
  } else {
    const RouteRow& route = *answer.route;
    core::Address unspecified;
    unspecified.family = address.family;
    target.path = Path{{route.interface, route.gateway.value_or(address)},
                       !route.gateway,
                       route.preferred_source.value_or(unspecified),
                       route.mtu};
  }
  use_neighbour(address, before, target.path);
}

void NetlinkNextHops::use_neighbour(const core::Address& user, const std::optional<Path>& before,
                                    const std::optional<Path>& after) {
  if (before && after && before->neighbour == after->neighbour) {
    return;
  }
  if (before) {
    const auto found = neighbours_.find(before->neighbour);
    found->second.users.erase(user);
    if (found->second.users.empty()) {
      if (found->second.managed && found->second.ours) {
        tables_.release(found->first);
      }
      neighbours_.erase(found);
    }
  }
  if (after) {
    const auto [found, fresh] = neighbours_.try_emplace(after->neighbour);
    found->second.users.insert(user);
    if (fresh) {
      found->second.pending_since = steady_clock::now();
      read_neighbour(found->first, found->second);
      if (!found->second.fixed && !found->second.managed) {
        ask_neighbour(found->first, found->second);
        read_neighbour(found->first, found->second);
      }
    }
  }
}

void NetlinkNextHops::read_neighbour(const NeighbourKey& key, Neighbour& neighbour) {
  const auto row = tables_.neighbour(key);
  const Answer answer_before = neighbour.answer;
  const core::MacAddress mac_before = neighbour.mac;
  neighbour.managed = row && row->managed;
  neighbour.ours = !neighbour.managed || row->protocol == kNeighbourProtocol;
  neighbour.fixed = row && (row->state & (NUD_PERMANENT | NUD_NOARP)) != 0;
  if (row && (row->state & kUsableStates) != 0 && row->mac) {
    neighbour.answer = Answer::usable;
    neighbour.mac = *row->mac;
    neighbour.error = 0;
  } else if (row && (row->state & NUD_FAILED) != 0) {
    neighbour.answer = Answer::failed;
  } else if (neighbour.answer == Answer::usable) {
    // Flushed, or being asked. One that has failed stays failed until it answers.
    neighbour.answer = Answer::pending;
    neighbour.pending_since = steady_clock::now();
  }
  if (!row && answer_before == Answer::usable) {
    ask_neighbour(key, neighbour);
  }
  if (neighbour.answer != answer_before || neighbour.mac != mac_before) {
    for (const core::Address& user : neighbour.users) {
      look_at(user);
    }
  }
}

void NetlinkNextHops::ask_neighbour(const NeighbourKey& key, Neighbour& neighbour) {
  if (neighbour.ours) {
    neighbour.error = tables_.solicit(key);
  }
}

std::optional<NetlinkNextHops::Outcome> NetlinkNextHops::judge(const core::Address& address,
                                                               const Target& target) const {
  if (target.is_this_host && serves_this_host_) {
    return Outcome{core::NextHop{.on_link = true, .this_host = true, .preferred_source = address}, ""};
  }
  if (!target.path) {
    return Outcome{std::nullopt, target.no_path};
  }
  const auto link = outgoing(links_, target.path->neighbour.interface);
  if (!link) {
    return Outcome{std::nullopt,
                   "the route to " + to_string(address) + " leads through " + link.error().message};
  }
  const Neighbour& neighbour = neighbours_.at(target.path->neighbour);
  if (neighbour.answer == Answer::usable) {
    return Outcome{core::NextHop{.destination = neighbour.mac,
                                 .source = link->source,
                                 .interface = link->interface,
                                 .on_link = target.path->on_link,
                                 .preferred_source = target.path->preferred_source,
                                 .vlan = link->vlan,
                                 .mtu = mtu_of(target.path->mtu, link->mtu)},
                   ""};
  }
  if (neighbour.answer == Answer::pending && neighbour.error == 0 &&
      steady_clock::now() - neighbour.pending_since < kPatience) {
    return std::nullopt;
  }
  return Outcome{std::nullopt, silence(target.path->neighbour, neighbour,
                                       links_.at(target.path->neighbour.interface).name)};
}

std::string NetlinkNextHops::silence(const NeighbourKey& key, const Neighbour& neighbour,
                                     const std::string& link) const {
  const std::string name = "neighbour " + to_string(key.address) + " on " + link;
  if (neighbour.error == ENOBUFS) {
    const std::string table = key.address.family == core::Family::ipv4 ? "ipv4" : "ipv6";
    return name + " has no room in the kernel's table; raise net." + table + ".neigh.default.gc_thresh3";
  }
  if (neighbour.error != 0) {
    return name + " cannot be asked: " + std::strerror(neighbour.error);
  }
  return name + " does not answer";
}

}  // namespace phalanx::adapters

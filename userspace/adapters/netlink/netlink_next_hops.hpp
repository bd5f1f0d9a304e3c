// SPDX-License-Identifier: Apache-2.0
// Next hops from the kernel's own routes and neighbours, by rtnetlink.
//
// Events are hints, the kernel's tables are the truth: an event only says which targets to look at again, and
// those are asked anew, a few at a time, so that a storm of events costs each target one look and the loop no
// stall. Where the kernel dropped events, everything is looked at again.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "adapters/loop/event_loop.hpp"
#include "adapters/netlink/kernel_tables.hpp"
#include "adapters/netlink/messages.hpp"
#include "adapters/netlink/netlink_socket.hpp"
#include "adapters/netlink/outgoing.hpp"
#include "core/result.hpp"
#include "ports/next_hops.hpp"

namespace phalanx::adapters {

// Rules:
//   - The route is the kernel's lookup for the target, without source, mark or port: of a multipath route the
//     one hop that the kernel takes for that address.
//   - A neighbour that the kernel may send to without asking first (REACHABLE, STALE, DELAY, PROBE,
//   PERMANENT,
//     NOARP) is a next hop. One that FAILED is none until it answers again. While one is being asked
//     (INCOMPLETE), what was delivered last stays in force for at most kPatience.
//   - Neighbours are kept resolved by the kernel itself (NTF_EXT_MANAGED, Linux 5.16; before that they are
//     asked again every kRefresh). That outlives this object: traffic must flow on when the daemon is gone.
//     The last unwatch() of a neighbour ends it, for entries that Phalanx made; the entry itself stays.
//   - Routes to this host itself (unless serve_this_host()), links that are down, and links that are not
//   Ethernet give no next hop.
//   - A VLAN device is taken apart: the next hop is its parent's, with the tag. One of 802.1ad, or within
//     another VLAN, gives no next hop.
//   - The MTU is the route's where it has one (what the kernel has learned of the path counts as of the last
//     look), and never more than the device's.
class NetlinkNextHops final : public ports::NextHops {
 public:
  static constexpr std::chrono::milliseconds kPatience{1000};
  static constexpr std::chrono::milliseconds kRefresh{10000};

  // sink is called from the loop. Must be opened in the network namespace that it is to serve; reading needs
  // no privilege, asking for neighbours needs CAP_NET_ADMIN. Fails where the kernel gives no netlink socket.
  static Result<std::unique_ptr<NetlinkNextHops>> open(EventLoop& loop, Sink sink);

  // Whether targets that are this host's own addresses have a next hop: NextHop::this_host.
  void serve_this_host(bool serve);

  void watch(const core::Address& target) override;
  void unwatch(const core::Address& target) override;

  // Whether the sink was called for every target that is watched: the kernel has answered, or had its time.
  bool knows_all() const;

 private:
  // Where the route of a target leads.
  struct Path {
    NeighbourKey neighbour;
    bool on_link = false;
    core::Address preferred_source;
    std::uint32_t mtu = 0;  // the route's own; 0: none
  };

  struct Outcome {
    std::optional<core::NextHop> hop;
    std::string reason;

    friend bool operator==(const Outcome&, const Outcome&) = default;
  };

  struct Target {
    int watchers = 0;
    bool route_stale = true;
    std::optional<Path> path;
    bool is_this_host = false;
    std::string no_path;  // why there is none
    std::optional<Outcome> delivered;
  };

  enum class Answer { pending, usable, failed };

  struct Neighbour {
    Answer answer = Answer::pending;
    core::MacAddress mac{};
    bool fixed = false;    // permanent or without ARP: not to be asked
    bool managed = false;  // by the kernel
    bool ours = true;      // else somebody else manages it
    int error = 0;         // of the last attempt to ask
    SteadyTime pending_since;
    std::set<core::Address> users;
  };

  NetlinkNextHops(EventLoop& loop, Sink sink, KernelTables tables, NetlinkSocket events);

  void read_events();
  void on_event(const nlmsghdr& message);
  void on_link(const LinkRow& row, bool deleted);
  void on_route(const core::Prefix& destination);
  void read_all_again();
  void read_links();

  void look_at(const core::Address& target);
  void look_at_all();
  void schedule();
  void work();
  void tick();

  void resolve(const core::Address& address, Target& target);
  void find_path(const core::Address& address, Target& target);
  void use_neighbour(const core::Address& user, const std::optional<Path>& before,
                     const std::optional<Path>& after);
  void look_at_neighbour(const NeighbourKey& key);
  void read_neighbour(const NeighbourKey& key, Neighbour& neighbour);
  void ask_neighbour(const NeighbourKey& key, Neighbour& neighbour);
  std::optional<Outcome> judge(const core::Address& address, const Target& target) const;
  std::string silence(const NeighbourKey& key, const Neighbour& neighbour, const std::string& link) const;

  Sink sink_;
  KernelTables tables_;
  NetlinkSocket events_;
  std::map<core::Address, Target> targets_;
  std::map<NeighbourKey, Neighbour> neighbours_;
  Links links_;
  std::set<core::Address> targets_to_look_at_;
  std::set<NeighbourKey> neighbours_to_look_at_;
  bool scheduled_ = false;
  bool serves_this_host_ = false;
  SteadyTime last_refresh_;
  EventLoop::Source readable_;
  EventLoop::Source work_timer_;
  EventLoop::Source tick_timer_;
};

}  // namespace phalanx::adapters

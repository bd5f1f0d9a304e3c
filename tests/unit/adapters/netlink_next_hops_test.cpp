// SPDX-License-Identifier: Apache-2.0
// Real routes and neighbours in two network namespaces, made for each test and gone with it: "node" has the
// interfaces n0 and n1, "rack" holds their other ends r0 and r1 and answers for backends and gateways.
#include "adapters/netlink/netlink_next_hops.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <thread>

namespace phalanx::adapters {
namespace {

using core::MacAddress;
using std::chrono::milliseconds;

constexpr milliseconds kDeadline{8000};

class Namespaces {
 public:
  Namespaces() {
    rack_ = fresh();
    node_ = fresh();  // the thread stays in it
    for (const char* number : {"0", "1"}) {
      const std::string n = number;
      run("ip link add n" + n + " address 02:00:00:00:00:0" + n + " type veth peer name r" + n +
          " address 02:00:00:00:01:0" + n + " netns /proc/" + std::to_string(getpid()) + "/fd/" +
          std::to_string(rack_));
      run("ip addr add 10.0." + n + ".1/24 dev n" + n + " && ip -6 addr add fd00:" + n + "::1/64 dev n" + n +
          " nodad && ip link set n" + n + " up");
      rack("ip link set r" + n + " up && ip addr add 10.0." + n + ".2/24 dev r" + n +
           " && ip -6 addr add fd00:" + n + "::2/64 dev r" + n + " nodad");
    }
    for (const char* family : {"ipv4", "ipv6"}) {
      for (const char* link : {"n0", "n1"}) {
        const std::string base = std::string("/proc/sys/net/") + family + "/neigh/" + link;
        run("echo 100 > " + base + "/retrans_time_ms && echo 2 > " + base + "/mcast_solicit");
      }
    }
  }
  ~Namespaces() {
    close(rack_);
    close(node_);
  }
  Namespaces(const Namespaces&) = delete;
  Namespaces& operator=(const Namespaces&) = delete;

  // In the node's namespace.
  void run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }
  void rack(const std::string& command) {
    enter(rack_);
    run(command);
    enter(node_);
  }

 private:
  static int fresh() {
    EXPECT_EQ(unshare(CLONE_NEWNET), 0) << "these tests need root";
    return ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  }
  static void enter(int descriptor) { ASSERT_EQ(setns(descriptor, CLONE_NEWNET), 0); }

  int rack_ = -1;
  int node_ = -1;
};

struct World {
  Namespaces net;
  std::unique_ptr<EventLoop> loop = std::move(EventLoop::open().value());
  std::map<std::string, ports::NextHopChange> now;
  int deliveries = 0;
  std::unique_ptr<NetlinkNextHops> hops = follow();

  std::unique_ptr<NetlinkNextHops> follow() {
    return std::move(NetlinkNextHops::open(*loop, [this](ports::NextHopChange change) {
                       ++deliveries;
                       now[to_string(change.target)] = std::move(change);
                     }).value());
  }

  void watch(const char* target) { hops->watch(*core::parse_address(target)); }
  void unwatch(const char* target) { hops->unwatch(*core::parse_address(target)); }

  testing::AssertionResult wait(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) {
        auto failure = testing::AssertionFailure();
        for (const auto& [target, change] : now) {
          failure << target << (change.hop ? " has a hop" : " has none: " + change.reason) << "\n";
        }
        return failure;
      }
      loop->run_once(milliseconds(20));
    }
    return testing::AssertionSuccess();
  }

  const core::NextHop* hop(const std::string& target) const {
    const auto found = now.find(target);
    return found == now.end() || !found->second.hop ? nullptr : &*found->second.hop;
  }
  testing::AssertionResult becomes(const std::string& target, const char* link, const MacAddress& mac) {
    return wait([&] {
      const auto* there = hop(target);
      return there != nullptr && there->interface == if_nametoindex(link) && there->destination == mac;
    });
  }
  testing::AssertionResult is_lost(const std::string& target, const std::string& reason) {
    return wait([&] { return now.contains(target) && !now[target].hop && now[target].reason == reason; });
  }
};

constexpr MacAddress kRack0{2, 0, 0, 0, 1, 0};
constexpr MacAddress kRack1{2, 0, 0, 0, 1, 1};

// A thread of its own: what it unshares ends with it.
void in_world(const std::function<void(World&)>& body) {
  std::thread([&] {
    World world;
    if (!testing::Test::HasFatalFailure()) {
      body(world);
    }
  }).join();
}

TEST(NetlinkNextHops, resolves_a_backend_on_the_link) {
  in_world([](World& world) {
    world.watch("10.0.0.2");
    EXPECT_EQ(world.deliveries, 0) << "delivered from inside watch()";
    ASSERT_TRUE(world.becomes("10.0.0.2", "n0", kRack0));
    const core::NextHop& hop = *world.hop("10.0.0.2");
    EXPECT_EQ(hop.source, (MacAddress{2, 0, 0, 0, 0, 0}));
    EXPECT_TRUE(hop.on_link);
    EXPECT_EQ(to_string(hop.preferred_source), "10.0.0.1");
  });
}

TEST(NetlinkNextHops, resolves_both_families_through_gateways) {
  in_world([](World& world) {
    world.net.run("ip route add 192.0.2.0/24 via 10.0.0.2 && ip -6 route add 2001:db8::/64 via fd00:1::2");
    world.watch("192.0.2.7");
    world.watch("2001:db8::7");
    ASSERT_TRUE(world.becomes("192.0.2.7", "n0", kRack0));
    ASSERT_TRUE(world.becomes("2001:db8::7", "n1", kRack1));
    EXPECT_FALSE(world.hop("192.0.2.7")->on_link);
    EXPECT_EQ(to_string(world.hop("2001:db8::7")->preferred_source), "fd00:1::1");
  });
}

TEST(NetlinkNextHops, resolves_ipv4_through_an_ipv6_gateway) {
  in_world([](World& world) {
    world.net.run("ip route add 192.0.2.0/24 via inet6 fd00:1::2 dev n1");
    world.watch("192.0.2.7");
    ASSERT_TRUE(world.becomes("192.0.2.7", "n1", kRack1));
    EXPECT_FALSE(world.hop("192.0.2.7")->on_link);
    EXPECT_EQ(to_string(world.hop("192.0.2.7")->preferred_source), "10.0.1.1");
  });
}

TEST(NetlinkNextHops, follows_a_backend_that_changes_its_mac) {
  in_world([](World& world) {
    world.watch("10.0.0.2");
    ASSERT_TRUE(world.becomes("10.0.0.2", "n0", kRack0));
    world.net.run("ip neigh replace 10.0.0.2 dev n0 lladdr 02:00:00:00:09:09 nud reachable");
    ASSERT_TRUE(world.becomes("10.0.0.2", "n0", {2, 0, 0, 0, 9, 9}));
  });
}

TEST(NetlinkNextHops, follows_the_mac_of_the_own_interface) {
  in_world([](World& world) {
    world.watch("10.0.0.2");
    ASSERT_TRUE(world.becomes("10.0.0.2", "n0", kRack0));
    world.net.run("ip link set n0 address 02:00:00:00:07:07");
    ASSERT_TRUE(world.wait([&] {
      return world.hop("10.0.0.2") != nullptr &&
             world.hop("10.0.0.2")->source == MacAddress{2, 0, 0, 0, 7, 7};
    }));
  });
}

TEST(NetlinkNextHops, follows_the_mtu_of_the_route_and_of_the_interface) {
  in_world([](World& world) {
    world.net.run("ip route add 192.0.2.0/24 via 10.0.0.2 && ip -6 route add 2001:db8::/64 via fd00::2");
    for (const char* target : {"10.0.0.2", "192.0.2.7", "2001:db8::7"}) {
      world.watch(target);
    }
    const auto have = [&](std::uint16_t link, std::uint16_t ipv4, std::uint16_t ipv6) {
      return world.wait([&world, link, ipv4, ipv6] {
        return world.hop("10.0.0.2") != nullptr && world.hop("10.0.0.2")->mtu == link &&
               world.hop("192.0.2.7") != nullptr && world.hop("192.0.2.7")->mtu == ipv4 &&
               world.hop("2001:db8::7") != nullptr && world.hop("2001:db8::7")->mtu == ipv6;
      });
    };
    ASSERT_TRUE(have(1500, 1500, 1500));
    world.net.run("ip route change 192.0.2.0/24 via 10.0.0.2 mtu 1300");
    ASSERT_TRUE(have(1500, 1300, 1500));
    world.net.run("ip -6 route change 2001:db8::/64 via fd00::2 mtu 1400");
    ASSERT_TRUE(have(1500, 1300, 1400));
    world.net.run("ip link set n0 mtu 1350");
    ASSERT_TRUE(have(1350, 1300, 1350)) << "never more than the interface's";
    world.net.run("ip link set n0 mtu 9000");
    ASSERT_TRUE(world.wait([&] { return world.hop("10.0.0.2")->mtu == 9000; }));
  });
}

TEST(NetlinkNextHops, an_untagged_next_hop_has_no_vlan) {
  in_world([](World& world) {
    world.watch("10.0.0.2");
    ASSERT_TRUE(world.becomes("10.0.0.2", "n0", kRack0));
    EXPECT_EQ(world.hop("10.0.0.2")->vlan, 0);
  });
}

TEST(NetlinkNextHops, follows_a_link_down_and_up) {
  in_world([](World& world) {
    world.watch("10.0.0.2");
    ASSERT_TRUE(world.becomes("10.0.0.2", "n0", kRack0));
    world.net.rack("ip link set r0 down");
    ASSERT_TRUE(world.is_lost("10.0.0.2", "the route to 10.0.0.2 leads through n0, which is down"));
    world.net.rack("ip link set r0 up");
    ASSERT_TRUE(world.becomes("10.0.0.2", "n0", kRack0));
    world.net.run("ip link set n0 down");
    ASSERT_TRUE(world.is_lost("10.0.0.2", "no route to 10.0.0.2"));
    world.net.run("ip link set n0 up");
    ASSERT_TRUE(world.becomes("10.0.0.2", "n0", kRack0));
    world.net.run("ip link del n0");
    ASSERT_TRUE(world.is_lost("10.0.0.2", "no route to 10.0.0.2"));
  });
}

TEST(NetlinkNextHops, follows_a_gateway_change) {
  in_world([](World& world) {
    world.net.run("ip route add 192.0.2.0/24 via 10.0.0.2 && ip route add 198.51.100.0/24 via 10.0.0.2");
    world.watch("192.0.2.7");
    world.watch("198.51.100.7");
    ASSERT_TRUE(world.becomes("192.0.2.7", "n0", kRack0));
    ASSERT_TRUE(world.becomes("198.51.100.7", "n0", kRack0));
    const int before = world.deliveries;
    world.net.run("ip route replace 192.0.2.0/24 via 10.0.1.2");
    ASSERT_TRUE(world.becomes("192.0.2.7", "n1", kRack1));
    EXPECT_EQ(world.deliveries, before + 1) << "the other target did not change";
    world.net.run("ip route del 192.0.2.0/24");
    ASSERT_TRUE(world.is_lost("192.0.2.7", "no route to 192.0.2.7"));
    world.net.run("ip route add default via 10.0.0.2");
    ASSERT_TRUE(world.becomes("192.0.2.7", "n0", kRack0));
  });
}

TEST(NetlinkNextHops, names_a_neighbour_that_does_not_answer_and_notices_when_it_does) {
  in_world([](World& world) {
    world.watch("10.0.0.9");
    ASSERT_TRUE(world.is_lost("10.0.0.9", "neighbour 10.0.0.9 on n0 does not answer"));
    world.net.rack("ip addr add 10.0.0.9/24 dev r0");
    ASSERT_TRUE(world.becomes("10.0.0.9", "n0", kRack0));
    world.net.rack("ip addr del 10.0.0.9/24 dev r0");
    world.net.run("ip neigh replace 10.0.0.9 dev n0 lladdr 02:00:00:00:01:00 nud probe");
    ASSERT_TRUE(world.is_lost("10.0.0.9", "neighbour 10.0.0.9 on n0 does not answer"));
  });
}

TEST(NetlinkNextHops, a_flushed_neighbour_is_asked_again_without_losing_the_hop) {
  in_world([](World& world) {
    world.watch("10.0.0.2");
    ASSERT_TRUE(world.becomes("10.0.0.2", "n0", kRack0));
    const int before = world.deliveries;
    world.net.run("ip neigh del 10.0.0.2 dev n0");
    ASSERT_TRUE(
        world.wait([] { return std::system("ip neigh show 10.0.0.2 dev n0 | grep -q REACHABLE") == 0; }));
    EXPECT_EQ(world.deliveries, before);
  });
}

TEST(NetlinkNextHops, says_why_there_is_no_next_hop) {
  in_world([](World& world) {
    world.net.run("ip link set lo up && ip route add prohibit 192.0.2.0/24");
    world.watch("203.0.113.1");
    world.watch("10.0.0.1");
    world.watch("192.0.2.1");
    ASSERT_TRUE(world.is_lost("203.0.113.1", "no route to 203.0.113.1"));
    ASSERT_TRUE(
        world.is_lost("10.0.0.1", "10.0.0.1 is an address of this host; \"node.agent\": true serves it"));
    ASSERT_TRUE(world.is_lost("192.0.2.1", "no route to 192.0.2.1: Permission denied"));
  });
}

TEST(NetlinkNextHops, keeps_neighbours_managed_beyond_its_own_end_but_not_beyond_unwatch) {
  in_world([](World& world) {
    const auto managed = [] { return std::system("ip neigh show 10.0.0.2 dev n0 | grep -q managed") == 0; };
    world.watch("10.0.0.2");
    ASSERT_TRUE(world.becomes("10.0.0.2", "n0", kRack0));
    EXPECT_TRUE(managed());
    world.hops.reset();
    EXPECT_TRUE(managed()) << "traffic must flow on without the daemon";
    world.hops = world.follow();
    world.watch("10.0.0.2");
    world.watch("10.0.0.2");
    ASSERT_TRUE(world.wait([&] { return world.deliveries == 2; }));
    world.unwatch("10.0.0.2");
    EXPECT_TRUE(managed()) << "watched twice, unwatched once";
    world.unwatch("10.0.0.2");
    EXPECT_FALSE(managed());
    EXPECT_EQ(std::system("ip neigh show 10.0.0.2 dev n0 | grep -q lladdr"), 0) << "the entry itself stays";
  });
}

TEST(NetlinkNextHops, leaves_permanent_neighbours_alone) {
  in_world([](World& world) {
    world.net.run("ip neigh add 10.0.0.77 dev n0 lladdr 02:00:00:00:05:05 nud permanent");
    world.watch("10.0.0.77");
    ASSERT_TRUE(world.becomes("10.0.0.77", "n0", {2, 0, 0, 0, 5, 5}));
    world.unwatch("10.0.0.77");
    EXPECT_EQ(std::system("ip neigh show 10.0.0.77 dev n0 | grep -q PERMANENT"), 0);
  });
}

TEST(NetlinkNextHops, leaves_neighbours_that_somebody_else_manages_alone) {
  in_world([](World& world) {
    world.net.run("ip neigh replace 10.0.0.2 dev n0 managed proto static");
    world.watch("10.0.0.2");
    ASSERT_TRUE(world.becomes("10.0.0.2", "n0", kRack0));
    world.unwatch("10.0.0.2");
    EXPECT_EQ(std::system("ip neigh show 10.0.0.2 dev n0 | grep -q managed"), 0);
  });
}

TEST(NetlinkNextHops, takes_the_hop_that_the_kernel_takes_of_a_multipath_route) {
  in_world([](World& world) {
    world.net.run("ip route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2");
    world.watch("192.0.2.7");
    ASSERT_TRUE(world.wait([&] { return world.hop("192.0.2.7") != nullptr; }));
    const bool first = world.hop("192.0.2.7")->interface == if_nametoindex("n0");
    world.net.run(std::string("ip link set ") + (first ? "n0" : "n1") + " down");
    ASSERT_TRUE(world.becomes("192.0.2.7", first ? "n1" : "n0", first ? kRack1 : kRack0));
  });
}

TEST(NetlinkNextHops, resolves_a_thousand_backends_and_follows_a_storm_of_changes) {
  in_world([](World& world) {
    world.net.run("ip route add 198.18.0.0/15 via 10.0.0.2");
    for (int i = 0; i < 1000; ++i) {
      world.watch(("198.18." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1)).c_str());
    }
    const auto all_through = [&](const char* link) {
      std::size_t count = 0;
      for (const auto& [target, change] : world.now) {
        count += change.hop && change.hop->interface == if_nametoindex(link) ? 1u : 0u;
      }
      return count == 1000;
    };
    ASSERT_TRUE(world.wait([&] { return all_through("n0"); }));
    // More messages than the socket can hold while nobody reads: the kernel drops some, and says so.
    world.net.run(
        "for i in 1 2 3 4 5; do for gateway in 10.0.0.2 10.0.1.2; do seq 1 4000 | awk -v via=$gateway "
        "'{print \"route replace 100.\" int($1/250) \".\" $1%250 \".0/24 via \" via}' | ip -batch -; done; "
        "done; "
        "ip route replace 198.18.0.0/15 via 10.0.1.2");
    ASSERT_TRUE(world.wait([&] { return all_through("n1"); }));
  });
}

}  // namespace
}  // namespace phalanx::adapters

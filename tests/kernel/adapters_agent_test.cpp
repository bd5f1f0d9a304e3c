// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adapters/bpf/balancer_maps.hpp"
#include "agent/agent.hpp"
#include "agent/agent_report.hpp"
#include "packet.hpp"
#include "pin_fixture.hpp"
#include "program_run.hpp"
#include "sockets.hpp"

namespace phalanx::agent {
namespace {

using testing::attached_to;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

core::Address address(const char* text) {
  return *core::parse_address(text);
}

core::Prefix prefix(const char* text) {
  return *core::parse_prefix(text);
}

class AgentTest : public testing::PinTest {
 protected:
  std::string pins() const { return path("agent"); }

  adapters::AgentConfig config() const {
    adapters::AgentConfig config;
    config.interface = "phx0";
    config.vips = {address("203.0.113.10"), address("2001:db8::10")};
    config.nodes = {prefix("10.0.0.0/24"), prefix("fd00::/64")};
    config.peers = {prefix("10.0.1.0/24")};
    return config;
  }

  void bring_up(const adapters::AgentConfig& config) {
    const auto attached = up(pins(), config);
    ASSERT_TRUE(attached) << attached.error().message;
  }

  Status current() const {
    const auto status = agent::status(pins());
    EXPECT_TRUE(status) << status.error().message;
    return *status;
  }
};

TEST_F(AgentTest, up_attaches_and_status_shows_what_is_in_force) {
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  EXPECT_NE(attached_to("phx0").native, 0u);
  EXPECT_THAT(current().vips, ElementsAre(address("203.0.113.10"), address("2001:db8::10")));
  EXPECT_THAT(current().nodes, ElementsAre(prefix("10.0.0.0/24"), prefix("fd00::/64")));
  EXPECT_THAT(current().peers, ElementsAre(prefix("10.0.1.0/24")));
  ASSERT_EQ(current().interfaces.size(), 1u);
  EXPECT_EQ(current().interfaces.front().mode, "native");
  EXPECT_EQ(current().counters.size(), PHX_AGENT_COUNTER_COUNT);
  EXPECT_THAT(to_text(current()), HasSubstr("decapsulated_4in4"));
  EXPECT_THAT(to_json_text(current()), HasSubstr("\"203.0.113.10\""));
}

TEST_F(AgentTest, a_namespace_that_there_is_not_is_named_and_nothing_stays) {
  adapters::AgentConfig with_namespace = config();
  with_namespace.namespaces = {"/proc/self/ns/net", "no-such-namespace"};
  const auto attached = up(pins(), with_namespace);
  ASSERT_FALSE(attached);
  EXPECT_THAT(attached.error().message, HasSubstr("/run/netns/no-such-namespace"));
  EXPECT_FALSE(agent::status(pins()));
  with_namespace.namespaces.pop_back();
  ASSERT_NO_FATAL_FAILURE(bring_up(with_namespace));
}

TEST_F(AgentTest, status_diagnoses_the_host_in_sentences) {
  testing::run("ip link set phx0 mtu 1500");
  testing::run("ip address add 203.0.113.10/32 dev lo");
  testing::run("ip link set lo up");
  testing::run("sysctl -qw net.ipv4.conf.phx0.rp_filter=1 net.ipv4.conf.all.rp_filter=0");
  testing::run("sysctl -qw net.ipv4.conf.phx0.forwarding=0");
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  EXPECT_THAT(current().warnings,
              ElementsAre(HasSubstr("2001:db8::10 is an address neither of this host"),
                          HasSubstr("rp_filter is strict on phx0"), HasSubstr("the MTU of phx0 is 1500"),
                          HasSubstr("ipv4 forwarding is off on phx0")));
  EXPECT_THAT(to_json_text(current()), HasSubstr("rp_filter is strict on phx0"));
  EXPECT_THAT(to_text(current()), HasSubstr("warning     rp_filter is strict"));
  testing::run("ip link set phx0 mtu 1600");
  testing::run("ip address add 2001:db8::10/128 dev lo nodad");
  testing::run("sysctl -qw net.ipv4.conf.phx0.rp_filter=0 net.ipv4.conf.phx0.forwarding=1");
  EXPECT_THAT(current().warnings, ElementsAre());
  testing::run("sysctl -qw net.ipv4.conf.all.rp_filter=1");
  EXPECT_THAT(current().warnings, ElementsAre(HasSubstr("rp_filter is strict on phx0")));
  testing::run("ip address add 10.0.9.1/24 dev phx0 && ip route add default via 10.0.9.2 dev phx0");
  EXPECT_THAT(current().warnings, ElementsAre());
}

TEST_F(AgentTest, status_counts_the_connections_that_live_on_its_vips) {
  using namespace phalanx::test;
  testing::run("ip link set lo up && ip address add 203.0.113.10/32 dev lo");
  testing::run("ip address add 2001:db8::10/128 dev lo nodad");
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  EXPECT_TRUE(current().connections.empty());
  const auto count = [this](const char* local) {
    return current().connections[*core::parse_endpoint(local)];
  };
  const Socket any = listening({"::", 80});  // whose IPv4 connections have addresses of both families
  const Socket elsewhere = listening({"127.0.0.1", 81});
  std::vector<Socket> sockets;
  for (std::uint16_t port = 40000; port < 40003; port++) {
    sockets.push_back(connected(SOCK_STREAM, {"127.0.0.1", port}, {"203.0.113.10", 80}));
    sockets.push_back(accepted(any));
  }
  sockets.push_back(connected(SOCK_STREAM, {"::1", 40000}, {"2001:db8::10", 80}));
  sockets.push_back(accepted(any));
  sockets.push_back(connected(SOCK_STREAM, {"127.0.0.1", 40000}, {"127.0.0.1", 81}));
  EXPECT_EQ(current().connections.size(), 2u);
  EXPECT_EQ(count("203.0.113.10:80"), 3u);
  EXPECT_EQ(count("[2001:db8::10]:80"), 1u);
  EXPECT_THAT(to_json_text(current()), HasSubstr("\"established\": 3"));
  EXPECT_THAT(to_text(current()), HasSubstr("3 to 203.0.113.10:80"));
  ::shutdown(sockets[0].fd(), SHUT_WR);  // the server may still answer
  EXPECT_EQ(count("203.0.113.10:80"), 3u);
  sockets[1].close();
  EXPECT_EQ(count("203.0.113.10:80"), 2u);
}

TEST_F(AgentTest, status_looks_into_the_namespaces_of_the_configuration) {
  using namespace phalanx::test;
  const Socket home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
  Socket container(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  testing::run("ip link set lo up && ip address add 203.0.113.10/32 dev lo");
  const Socket server = listening({"203.0.113.10", 80});
  const Socket client = connected(SOCK_STREAM, {"127.0.0.1", 40000}, {"203.0.113.10", 80});
  const Socket ours = accepted(server);
  ASSERT_EQ(::setns(home.fd(), CLONE_NEWNET), 0);

  adapters::AgentConfig with_namespace = config();
  with_namespace.vips = {address("203.0.113.10")};
  with_namespace.namespaces = {"/proc/self/fd/" + std::to_string(container.fd())};
  ASSERT_NO_FATAL_FAILURE(bring_up(with_namespace));
  EXPECT_EQ(current().connections[*core::parse_endpoint("203.0.113.10:80")], 1u);
  EXPECT_THAT(current().warnings, Not(Contains(HasSubstr("is an address neither"))));
  EXPECT_THAT(current().warnings, Contains(HasSubstr("accept_local is off on phx0")));
  container.close();
  EXPECT_THAT(current().warnings, Contains(HasSubstr(with_namespace.namespaces.front())));
  EXPECT_THAT(current().warnings, Contains(HasSubstr("is an address neither")));
}

TEST_F(AgentTest, status_names_who_else_has_the_port_of_gue) {
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  testing::run("ip link set lo up");
  const phalanx::test::Socket socket = phalanx::test::bound(SOCK_DGRAM, {"127.0.0.1", 6080});
  EXPECT_THAT(current().warnings, Contains(HasSubstr("a process has a socket on UDP port 6080")));
}

TEST_F(AgentTest, up_again_applies_the_changed_file) {
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  adapters::AgentConfig changed = config();
  changed.interface = "phx1";
  changed.vips = {address("203.0.113.11"), address("2001:db8::10")};
  changed.nodes = {prefix("10.0.0.0/25")};
  changed.peers = {prefix("10.0.1.11/32"), prefix("fd00:1::/64")};
  ASSERT_NO_FATAL_FAILURE(bring_up(changed));
  EXPECT_THAT(current().vips, ElementsAre(address("203.0.113.11"), address("2001:db8::10")));
  EXPECT_THAT(current().nodes, ElementsAre(prefix("10.0.0.0/25")));
  EXPECT_THAT(current().peers, ElementsAre(prefix("10.0.1.11/32"), prefix("fd00:1::/64")));
  EXPECT_EQ(attached_to("phx0").native, 0u);
  EXPECT_NE(attached_to("phx1").native, 0u);
}

TEST_F(AgentTest, up_again_moves_gue_to_the_port_of_the_changed_file) {
  const phalanx::test::Packet inner =
      phalanx::test::tcp4({"198.51.100.7", 40000}, {"203.0.113.10", 80}).payload(0);
  const auto gue_to = [&](std::uint16_t port) {
    return phalanx::test::gue_tunnel("10.0.0.5", "10.0.1.11", inner, {.port = port}).frame();
  };
  const auto is_taken = [&](std::uint16_t port) {
    const adapters::Descriptor program(::bpf_obj_get((pins() + "/program").c_str()));
    return phalanx::test::run_program(program.get(), gue_to(port)).frame == inner.frame();
  };
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  EXPECT_TRUE(is_taken(6080));
  adapters::AgentConfig changed = config();
  changed.gue_port = 5555;
  ASSERT_NO_FATAL_FAILURE(bring_up(changed));
  EXPECT_TRUE(is_taken(5555));
  EXPECT_FALSE(is_taken(6080));
}

TEST_F(AgentTest, a_change_that_fails_leaves_what_was_in_force) {
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  adapters::AgentConfig changed = config();
  changed.interface = "absent";
  changed.vips = {address("203.0.113.11")};
  changed.nodes.push_back(prefix("10.9.0.0/16"));
  const auto attached = up(pins(), changed);
  ASSERT_FALSE(attached);
  EXPECT_THAT(attached.error().message, HasSubstr("no such interface"));
  EXPECT_THAT(current().vips, ElementsAre(address("203.0.113.10"), address("2001:db8::10")));
  EXPECT_EQ(current().nodes.size(), 2u);
  EXPECT_NE(attached_to("phx0").native, 0u);
}

TEST_F(AgentTest, a_full_map_leaves_what_was_in_force) {
  adapters::AgentConfig full = config();
  full.vips.clear();
  for (int i = 0; i < 1024; ++i) {
    full.vips.push_back(address(("10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256)).c_str()));
  }
  ASSERT_NO_FATAL_FAILURE(bring_up(full));
  const auto attached = up(pins(), config());
  ASSERT_FALSE(attached);
  EXPECT_THAT(attached.error().message, HasSubstr("room for 1024"));
  EXPECT_EQ(current().vips, full.vips);
  EXPECT_EQ(current().nodes.size(), 2u);
}

TEST_F(AgentTest, a_first_start_that_fails_leaves_nothing) {
  adapters::AgentConfig wrong = config();
  wrong.interface = "absent";
  ASSERT_FALSE(up(pins(), wrong));
  EXPECT_FALSE(adapters::PinDirectory::exists(pins()));
}

TEST_F(AgentTest, a_start_cut_short_is_cleaned_by_the_next) {
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  ASSERT_EQ(::unlink((pins() + "/program").c_str()), 0);
  EXPECT_THAT(agent::status(pins()).error().message, HasSubstr("nothing is loaded"));
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  EXPECT_NE(attached_to("phx0").native, 0u);
}

TEST_F(AgentTest, down_detaches_and_is_done_when_there_is_nothing) {
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  ASSERT_TRUE(down(pins()));
  EXPECT_EQ(attached_to("phx0").native, 0u);
  EXPECT_FALSE(adapters::PinDirectory::exists(pins()));
  EXPECT_TRUE(down(pins()));
  const auto nothing = agent::status(pins());
  ASSERT_FALSE(nothing);
  EXPECT_THAT(nothing.error().message, HasSubstr("phalanx-agent up"));
}

TEST_F(AgentTest, balancer_and_agent_leave_each_others_pins_alone) {
  {
    const adapters::PinDirectory directory = locked("balancer");
    auto maps = adapters::BalancerMaps::create(directory, testing::small_limits());
    ASSERT_TRUE(maps);
    ASSERT_TRUE(maps->commit(testing::small_state()));
  }
  EXPECT_THAT(up(path("balancer"), config()).error().message, HasSubstr("is the balancer's"));
  EXPECT_THAT(down(path("balancer")).error().message, HasSubstr("is the balancer's"));
  ASSERT_NO_FATAL_FAILURE(bring_up(config()));
  const adapters::PinDirectory directory = locked("agent");
  EXPECT_THAT(adapters::BalancerMaps::create(directory, testing::small_limits()).error().message,
              HasSubstr("is phalanx-agent's"));
}

}  // namespace
}  // namespace phalanx::agent

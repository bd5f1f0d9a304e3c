// SPDX-License-Identifier: Apache-2.0
#include "agent/diagnosis.hpp"

#include <gmock/gmock.h>

namespace phalanx::agent {
namespace {

using core::Family;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

core::Address address(const char* text) {
  return *core::parse_address(text);
}

// A host where nothing is wrong, with nodes and peers of both families.
HostFacts sound() {
  HostFacts facts;
  facts.interface = "eth0";
  facts.mtu = 1600;
  facts.forwarding4 = facts.forwarding6 = true;
  facts.node_families = facts.peer_families = {Family::ipv4, Family::ipv6};
  facts.vips = {address("203.0.113.10"), address("2001:db8::10")};
  facts.vips_here = {facts.vips.begin(), facts.vips.end()};
  facts.gue_port = 6080;
  return facts;
}

TEST(Diagnosis, of_a_sound_host_is_silent) {
  EXPECT_THAT(diagnose(sound()), IsEmpty());
}

TEST(Diagnosis, names_vips_that_nobody_has_and_how_to_add_them) {
  HostFacts facts = sound();
  facts.vips_here.clear();
  EXPECT_THAT(diagnose(facts), ElementsAre(HasSubstr("\"ip address add 203.0.113.10/32 dev lo\""),
                                           AllOf(HasSubstr("2001:db8::10 is an address neither of this host"),
                                                 HasSubstr("\"ip address add 2001:db8::10/128 dev lo\""))));
}

TEST(Diagnosis, takes_a_vip_of_a_configured_namespace_for_good) {
  HostFacts facts = sound();
  facts.vips_here.erase(address("2001:db8::10"));
  facts.vips_in_namespaces = {address("2001:db8::10")};
  EXPECT_THAT(diagnose(facts), IsEmpty());
}

TEST(Diagnosis, of_strict_reverse_paths_depends_on_the_default_route) {
  HostFacts facts = sound();
  facts.rp_filter = 1;
  EXPECT_THAT(diagnose(facts), IsEmpty());
  for (const DefaultRoute route : {DefaultRoute::by_another, DefaultRoute::none}) {
    facts.default_route = route;
    EXPECT_THAT(diagnose(facts), ElementsAre(AllOf(HasSubstr("rp_filter is strict on eth0"),
                                                   HasSubstr("\"sysctl -w net.ipv4.conf.all.rp_filter=0 "
                                                             "net.ipv4.conf.eth0.rp_filter=0\""))));
  }
  facts.rp_filter = 0;
  EXPECT_THAT(diagnose(facts), IsEmpty());
}

TEST(Diagnosis, of_loose_reverse_paths_asks_for_any_route) {
  HostFacts facts = sound();
  facts.rp_filter = 2;
  facts.default_route = DefaultRoute::by_another;
  EXPECT_THAT(diagnose(facts), IsEmpty());
  facts.default_route = DefaultRoute::none;
  EXPECT_THAT(diagnose(facts), ElementsAre(HasSubstr("rp_filter is loose on eth0")));
}

TEST(Diagnosis, of_reverse_paths_does_not_concern_ipv6) {
  HostFacts facts = sound();
  facts.vips = {address("2001:db8::10")};
  facts.rp_filter = 1;
  facts.default_route = DefaultRoute::none;
  EXPECT_THAT(diagnose(facts), IsEmpty());
}

TEST(Diagnosis, of_the_mtu_counts_the_outer_headers_of_the_nodes_families) {
  HostFacts facts = sound();
  facts.mtu = 1588;
  EXPECT_THAT(diagnose(facts), IsEmpty());
  facts.mtu = 1587;
  EXPECT_THAT(diagnose(facts), ElementsAre(AllOf(HasSubstr("the MTU of eth0 is 1587"), HasSubstr("ipip fits"),
                                                 HasSubstr("\"ip link set eth0 mtu 1588\""))));
  facts.mtu = 1539;
  EXPECT_THAT(diagnose(facts), ElementsAre(HasSubstr("does not fit either")));
  facts.node_families = {Family::ipv4};
  facts.mtu = 1544;
  EXPECT_THAT(diagnose(facts), IsEmpty());
  facts.mtu = 1500;
  EXPECT_THAT(diagnose(facts), ElementsAre(HasSubstr("\"ip link set eth0 mtu 1544\"")));
  facts.mtu = 0;  // not known
  EXPECT_THAT(diagnose(facts), IsEmpty());
}

TEST(Diagnosis, of_forwarding_concerns_the_families_of_peers) {
  HostFacts facts = sound();
  facts.forwarding4 = facts.forwarding6 = false;
  EXPECT_THAT(diagnose(facts), ElementsAre(AllOf(HasSubstr("ipv4 forwarding is off on eth0"),
                                                 HasSubstr("\"sysctl -w net.ipv4.conf.eth0.forwarding=1\"")),
                                           AllOf(HasSubstr("\"sysctl -w net.ipv6.conf.eth0.forwarding=1\""),
                                                 HasSubstr("accept_ra=2"))));
  facts.peer_families = {Family::ipv6};
  EXPECT_THAT(diagnose(facts), ElementsAre(HasSubstr("ipv6 forwarding is off")));
  facts.peer_families.clear();
  EXPECT_THAT(diagnose(facts), IsEmpty());
}

TEST(Diagnosis, of_own_clients_concerns_ipv4_vips_in_other_namespaces) {
  HostFacts facts = sound();
  facts.vips_in_namespaces = facts.vips_here;
  EXPECT_THAT(diagnose(facts), IsEmpty());
  facts.vips_here.clear();
  EXPECT_THAT(diagnose(facts), ElementsAre(HasSubstr("\"sysctl -w net.ipv4.conf.eth0.accept_local=1\"")));
  facts.accept_local = true;
  EXPECT_THAT(diagnose(facts), IsEmpty());
}

TEST(Diagnosis, names_who_else_has_the_port_of_gue) {
  HostFacts facts = sound();
  facts.gue_port_owner = PortOwner::kernel;
  EXPECT_THAT(diagnose(facts), ElementsAre(HasSubstr("\"ip fou del port 6080\"")));
  facts.gue_port_owner = PortOwner::process;
  EXPECT_THAT(diagnose(facts), ElementsAre(HasSubstr("\"ss -ulnp sport = 6080\"")));
}

TEST(Diagnosis, says_what_could_not_be_found_out_and_judges_the_rest) {
  HostFacts facts = sound();
  facts.unreadable = {"open network namespace blue: gone"};
  facts.forwarding4 = false;
  EXPECT_THAT(diagnose(facts),
              ElementsAre("open network namespace blue: gone", HasSubstr("ipv4 forwarding")));
}

TEST(Diagnosis, without_an_interface_judges_the_vips_alone) {
  HostFacts facts;
  facts.vips = {address("203.0.113.10")};
  facts.rp_filter = 1;
  facts.default_route = DefaultRoute::none;
  facts.peer_families = {Family::ipv4};
  EXPECT_THAT(diagnose(facts), ElementsAre(HasSubstr("203.0.113.10 is an address neither")));
}

}  // namespace
}  // namespace phalanx::agent

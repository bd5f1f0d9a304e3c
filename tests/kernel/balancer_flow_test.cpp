// SPDX-License-Identifier: Apache-2.0
// Flows of tracked slots are remembered one by one, and stay where they are; nobody else's are looked up.
#include <ctime>

#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

constexpr std::uint64_t kUpAndDraining = PHX_STATE_UP | PHX_STATE_REACHABLE | PHX_STATE_DRAINING;
constexpr std::uint16_t kBeyondTheMap = 60000;

std::uint32_t now_s() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint32_t>(time.tv_sec);
}

// With packets of either family.
class BalancerFlows : public Balancer, public testing::WithParamInterface<phx_family> {
 protected:
  BalancerFlows() : client(is_ipv6() ? client6 : client4), vip(is_ipv6() ? vip6 : vip4) {
    tcp_service = balancer.serve(kTcp, vip, b1, b2);
    udp_service = balancer.serve(kUdp, vip, b1, b2);
    for (const auto service : {tcp_service, udp_service}) balancer.rewrite_slots(service, tracked_slot());
  }

  [[nodiscard]] static bool is_ipv6() { return GetParam() == PHX_FAMILY_IPV6; }
  [[nodiscard]] phx_slot tracked_slot() const {
    return {primary.entry, backup.entry, previous.entry, PHX_SLOT_TRACKED};
  }
  [[nodiscard]] Packet segment(std::uint8_t flags) const { return Packet(kTcp, client, vip).flags(flags); }
  [[nodiscard]] Packet syn() const { return segment(kSyn); }
  [[nodiscard]] Packet data() const { return segment(kPush | kAck); }
  [[nodiscard]] Packet datagram() const { return {kUdp, client, vip}; }

  [[nodiscard]] Packet segment_from(std::uint16_t port, std::uint8_t flags) const {
    return Packet(kTcp, {client.address, port}, vip).flags(flags);
  }
  // Segments of so many flows that share a set of the flow table.
  [[nodiscard]] std::vector<Packet> flows_of_one_set(std::size_t count) const {
    std::vector<Packet> found;
    for (std::uint16_t port = 1; found.size() < count; port++) {
      const Packet packet = segment_from(port, kAck);
      if (balancer.place_of(packet).set == 0) found.push_back(packet);
    }
    return found;
  }

  // The flow of packet is served by backend, as the table has it, and was seen just now.
  void know(const Packet& packet, const Backend& backend, std::uint8_t flags = 0) {
    know(packet, backend, flags, now_s());
  }
  void know(const Packet& packet, const Backend& backend, std::uint8_t flags, std::uint32_t seen_s) {
    const std::uint8_t protocol = packet.protocol() == kUdp ? PHX_FLOW_UDP : 0;
    balancer.remember(packet, {backend.entry, static_cast<std::uint8_t>(flags | protocol), 0, seen_s});
  }
  void keep_on_down() {
    for (const auto service : {tcp_service, udp_service}) {
      balancer.rewrite_service(service, [](phx_service& row) { row.on_down = PHX_ON_DOWN_KEEP; });
    }
  }
  void track(phx_track rule) {
    for (const auto service : {tcp_service, udp_service}) {
      balancer.rewrite_service(service, [&](phx_service& row) { row.track = rule; });
    }
  }

  void expect_sent(const Packet& packet, const Backend& backend,
                   std::initializer_list<std::string> counters) {
    expect(balancer.run(packet)).tx().encapsulated_to(backend).counted(counters);
  }
  void expect_remembered(const Packet& packet, const Backend& backend, std::uint8_t flags = 0) {
    const auto owner = balancer.remembered(packet);
    ASSERT_TRUE(owner.has_value());
    EXPECT_EQ(owner->entry, backend.entry);
    EXPECT_EQ(owner->flags & PHX_FLOW_CLOSING, flags);
    EXPECT_EQ((owner->flags & PHX_FLOW_UDP) != 0, packet.protocol() == kUdp);
    EXPECT_LE(now_s() - owner->seen_s, 1u);
  }

  const Backend& primary = b1;
  const Backend& backup = b2;
  const Backend& previous = b1_over_ipv6;
  const Backend& another = b2_over_ipv6;
  const Endpoint client;
  const Endpoint vip;
  std::uint32_t tcp_service = 0;
  std::uint32_t udp_service = 0;
};
INSTANTIATE_TEST_SUITE_P(Family, BalancerFlows, testing::Values(PHX_FAMILY_IPV4, PHX_FAMILY_IPV6),
                         [](const auto& suite) { return suite.param == PHX_FAMILY_IPV6 ? "IPv6" : "IPv4"; });

// ------------------------------------------------------------------------------------------------- SYNs

TEST_P(BalancerFlows, remember_a_syn_at_the_primary) {
  expect_sent(syn(), primary, {"sent", "remembered"});
  expect_remembered(syn(), primary);
  EXPECT_EQ(balancer.flows(), 1u);
  expect_sent(syn(), primary, {"sent", "by_flow"});
  expect_sent(data(), primary, {"sent", "by_flow"});
}

TEST_P(BalancerFlows, remember_a_syn_at_the_backup_that_took_it) {
  balancer.take_down(primary);
  expect_sent(syn(), backup, {"sent", "by_backup", "remembered"});
  expect_remembered(syn(), backup);
  balancer.set_state(primary, PHX_STATE_UP);
  expect_sent(data(), backup, {"sent", "by_flow"});
}

TEST_P(BalancerFlows, lead_a_repeated_syn_where_the_first_went) {
  know(syn(), another);
  expect_sent(syn(), another, {"sent", "by_flow"});
}

TEST_P(BalancerFlows, begin_a_connection_anew_when_the_old_ones_backend_drains) {
  know(syn(), another);
  balancer.set_state(another, kUpAndDraining);
  expect_sent(syn(), primary, {"sent", "remembered"});
  expect_remembered(syn(), primary);
}

TEST_P(BalancerFlows, begin_a_connection_anew_when_the_old_ones_backend_is_down) {
  keep_on_down();  // which is about connections that exist
  for (const std::uint64_t state : {std::uint64_t{PHX_STATE_REACHABLE}, std::uint64_t{0}}) {
    know(syn(), another);
    balancer.set_state(another, state);
    expect_sent(syn(), primary, {"sent", "remembered"});
    expect_remembered(syn(), primary);
  }
}

TEST_P(BalancerFlows, take_no_syn_to_previous) {
  balancer.take_down(primary);
  balancer.take_down(backup);
  expect(balancer.run(syn())).dropped().counted({"no_backend_dropped"}).no_traffic();
  EXPECT_EQ(balancer.flows(), 0u);
}

// ------------------------------------------------------------------------------------ other TCP segments

TEST_P(BalancerFlows, follow_the_table) {
  know(data(), another);
  for (const std::uint8_t flags : std::initializer_list<std::uint8_t>{kAck, kPush | kAck, kSyn | kAck, 0}) {
    expect_sent(segment(flags), another, {"sent", "by_flow"});
  }
}

TEST_P(BalancerFlows, stay_with_a_backend_that_drains) {
  know(data(), another);
  balancer.set_state(another, kUpAndDraining);
  expect_sent(data(), another, {"sent", "by_flow"});
}

TEST_P(BalancerFlows, move_when_their_backend_is_down) {
  know(data(), another);
  balancer.take_down(another);
  expect_sent(data(), primary, {"sent", "remembered"});
  expect_remembered(data(), primary);
  expect_sent(data(), primary, {"sent", "by_flow"});
}

TEST_P(BalancerFlows, move_to_the_backup_when_the_primary_is_down_too) {
  know(data(), primary);
  balancer.take_down(primary);
  expect_sent(data(), backup, {"sent", "by_backup", "remembered"});
  expect_remembered(data(), backup);
}

TEST_P(BalancerFlows, stay_with_a_backend_whose_check_failed_where_the_service_says_so) {
  keep_on_down();
  know(data(), another);
  know(datagram(), another);
  balancer.set_state(another, PHX_STATE_REACHABLE);
  expect_sent(data(), another, {"sent", "by_flow"});
  expect_sent(datagram(), another, {"sent", "by_flow"});
  balancer.set_state(another, 0);
  expect_sent(data(), primary, {"sent", "remembered"});
  expect_sent(datagram(), primary, {"sent", "remembered"});
}

TEST_P(BalancerFlows, go_to_previous_when_nobody_remembers_them) {
  expect_sent(data(), previous, {"sent", "by_previous", "remembered"});
  expect_remembered(data(), previous);
  expect_sent(data(), previous, {"sent", "by_flow"});
}

TEST_P(BalancerFlows, go_to_a_previous_that_drains) {
  balancer.set_state(previous, kUpAndDraining);
  expect_sent(segment(kSyn | kAck), previous, {"sent", "by_previous", "remembered"});
  expect_remembered(data(), previous);
}

TEST_P(BalancerFlows, go_to_the_primary_unremembered_when_previous_is_down) {
  keep_on_down();  // which is about flows that are remembered
  balancer.take_down(previous);
  expect_sent(data(), primary, {"sent"});
  balancer.take_down(primary);
  expect_sent(data(), backup, {"sent", "by_backup"});
  EXPECT_EQ(balancer.flows(), 0u);
}

TEST_P(BalancerFlows, go_to_the_primary_unremembered_when_the_slot_names_no_previous) {
  for (const std::uint16_t nobody : {std::uint16_t{PHX_NO_ENTRY}, kBeyondTheMap}) {
    balancer.rewrite_slots(tcp_service, {primary.entry, backup.entry, nobody, PHX_SLOT_TRACKED});
    expect_sent(data(), primary, {"sent"});
  }
  EXPECT_EQ(balancer.flows(), 0u);
}

// -------------------------------------------------------------------------------------------------- UDP

TEST_P(BalancerFlows, remember_datagrams_at_the_primary) {
  expect_sent(datagram(), primary, {"sent", "remembered"});
  expect_remembered(datagram(), primary);
  expect_sent(datagram(), primary, {"sent", "by_flow"});
}

TEST_P(BalancerFlows, keep_datagrams_where_they_went_draining_or_not) {
  know(datagram(), another);
  expect_sent(datagram(), another, {"sent", "by_flow"});
  balancer.set_state(another, kUpAndDraining);
  expect_sent(datagram(), another, {"sent", "by_flow"});
  balancer.take_down(another);
  expect_sent(datagram(), primary, {"sent", "remembered"});
  expect_remembered(datagram(), primary);
}

TEST_P(BalancerFlows, remember_datagrams_at_the_backup_that_took_them) {
  balancer.take_down(primary);
  expect_sent(datagram(), backup, {"sent", "by_backup", "remembered"});
  expect_remembered(datagram(), backup);
}

TEST_P(BalancerFlows, see_no_flags_in_datagrams) {
  Bytes payload(32, 0xff);
  know(datagram(), another);
  Bytes bytes{0x9c, 0x40, 0, 80, 0, 40, 0, 0};
  append(bytes, payload);
  expect_sent(datagram().carrying(bytes), another, {"sent", "by_flow"});
  expect_remembered(datagram(), another);
}

// ------------------------------------------------------------------------------ what is said of a flow

TEST_P(BalancerFlows, are_marked_as_closing_by_fin_and_by_rst) {
  for (const std::uint8_t end : {kFin, kRst}) {
    know(data(), another);
    expect_sent(segment(end | kAck), another, {"sent", "by_flow"});
    expect_remembered(data(), another, PHX_FLOW_CLOSING);
    expect_sent(data(), another, {"sent", "by_flow"});
    expect_remembered(data(), another, PHX_FLOW_CLOSING);
  }
}

TEST_P(BalancerFlows, are_marked_as_closing_when_first_seen_by_their_fin) {
  expect_sent(segment(kFin | kAck), previous, {"sent", "by_previous", "remembered"});
  expect_remembered(data(), previous, PHX_FLOW_CLOSING);
}

TEST_P(BalancerFlows, are_open_again_with_a_new_syn) {
  know(data(), another, PHX_FLOW_CLOSING);
  expect_sent(syn(), another, {"sent", "by_flow"});
  expect_remembered(data(), another);
  know(data(), another, PHX_FLOW_CLOSING);
  balancer.take_down(another);
  expect_sent(syn(), primary, {"sent", "remembered"});
  expect_remembered(data(), primary);
}

TEST_P(BalancerFlows, are_seen_now_whenever_a_packet_comes) {
  know(data(), another, PHX_FLOW_CLOSING, now_s() - 1000);
  expect_sent(data(), another, {"sent", "by_flow"});
  expect_remembered(data(), another, PHX_FLOW_CLOSING);
}

TEST_P(BalancerFlows, are_told_apart_by_every_part_of_the_tuple) {
  know(data(), another);
  const Endpoint other_port{client.address, static_cast<std::uint16_t>(client.port + 1)};
  const Endpoint other_client{is_ipv6() ? "2001:db8:c::8" : "203.0.113.8", client.port};
  for (const Endpoint& from : {other_port, other_client}) {
    expect_sent(Packet(kTcp, from, vip), previous, {"sent", "by_previous", "remembered"});
  }
  expect_sent(datagram(), primary, {"sent", "remembered"});
  EXPECT_EQ(balancer.flows(), 4u);
}

TEST_P(BalancerFlows, move_when_their_entry_lies_beyond_the_map) {
  for (const Packet& packet : {syn(), data(), datagram()}) {
    balancer.remember(
        packet,
        {kBeyondTheMap, static_cast<std::uint8_t>(packet.protocol() == kUdp ? PHX_FLOW_UDP : 0), 0, now_s()});
    expect_sent(packet, primary, {"sent", "remembered"});
    expect_remembered(packet, primary);
  }
}

TEST_P(BalancerFlows, are_beginning_until_their_second_packet) {
  const auto is_beginning = [&](const Packet& packet) {
    return (balancer.remembered(packet)->flags & PHX_FLOW_BEGINNING) != 0;
  };
  balancer.run(syn());
  EXPECT_TRUE(is_beginning(data()));
  balancer.run(syn());  // the same again
  EXPECT_TRUE(is_beginning(data()));
  balancer.run(data());
  EXPECT_FALSE(is_beginning(data()));
  balancer.run(datagram());
  EXPECT_TRUE(is_beginning(datagram()));
  balancer.run(datagram());
  EXPECT_FALSE(is_beginning(datagram()));
}

// ------------------------------------------------------------------------------------------ a full table

constexpr std::uint32_t kRows = kFlowSets * PHX_FLOW_WAYS;

TEST_P(BalancerFlows, give_way_to_new_ones_when_the_table_is_full) {
  for (std::uint16_t port = 1024; port < 1024 + 4 * kRows; port++) {
    const Outcome outcome = balancer.run(segment_from(port, kSyn));
    outcome.tx().encapsulated_to(primary).counted({"sent", "remembered"});
  }
  EXPECT_EQ(balancer.flows(), kRows);
}

TEST_P(BalancerFlows, that_are_alive_are_not_pushed_out_by_a_flood_of_syns) {
  constexpr std::uint16_t kAlive = 200;
  for (std::uint16_t port = 1; port <= kAlive; port++) {
    balancer.run(segment_from(port, kSyn));
    balancer.run(segment_from(port, kAck));
  }
  for (std::uint16_t port = 1024; port < 1024 + 8 * kRows; port++) balancer.run(segment_from(port, kSyn));
  for (std::uint16_t port = 1; port <= kAlive; port++) {
    EXPECT_TRUE(balancer.remembered(segment_from(port, kAck)).has_value()) << "port " << port;
  }
}

TEST_P(BalancerFlows, of_one_set_give_way_closing_and_beginning_ones_first_then_the_least_lately_seen) {
  const std::vector<Packet> all = flows_of_one_set(PHX_FLOW_WAYS + 4);
  const std::uint32_t now = now_s();
  for (std::uint32_t i = 0; i < PHX_FLOW_WAYS; i++) know(all[i], another, 0, now - 100 + i);
  know(all[6], another, PHX_FLOW_CLOSING, now);
  know(all[4], another, PHX_FLOW_BEGINNING, now);
  std::uint32_t next = PHX_FLOW_WAYS;
  for (const std::uint32_t gives_way : {4u, 6u, 0u, 1u}) {
    EXPECT_TRUE(balancer.remembered(all[gives_way]).has_value());
    balancer.run(Packet(all[next]).flags(kSyn));
    balancer.run(all[next]);  // alive
    EXPECT_FALSE(balancer.remembered(all[gives_way]).has_value()) << gives_way;
    EXPECT_TRUE(balancer.remembered(all[next]).has_value());
    next++;
  }
}

// ------------------------------------------------------------------------------------- which are tracked

TEST_P(BalancerFlows, of_other_slots_are_neither_looked_up_nor_remembered) {
  balancer.rewrite_slots(tcp_service, {primary.entry, backup.entry, previous.entry, 0});
  balancer.rewrite_slots(udp_service, {primary.entry, backup.entry, previous.entry, 0});
  for (const Packet& packet : {syn(), data(), segment(kFin | kAck), datagram()}) {
    expect_sent(packet, primary, {"sent"});
  }
  EXPECT_EQ(balancer.flows(), 0u);
  const phx_flow_owner planted{another.entry, 0, 0, 1};
  for (const Packet& packet : {syn(), data(), datagram()}) {
    balancer.remember(packet, planted);
    expect_sent(packet, primary, {"sent"});
    EXPECT_EQ(balancer.remembered(packet)->seen_s, planted.seen_s);
  }
}

TEST_P(BalancerFlows, of_a_service_that_tracks_none_are_neither_looked_up_nor_remembered) {
  track(PHX_TRACK_NONE);
  for (const Packet& packet : {syn(), data(), datagram()}) expect_sent(packet, primary, {"sent"});
  EXPECT_EQ(balancer.flows(), 0u);
  know(data(), another);
  expect_sent(data(), primary, {"sent"});
}

TEST_P(BalancerFlows, of_a_service_that_tracks_all_are_remembered_in_every_slot) {
  track(PHX_TRACK_ALL);
  for (const auto service : {tcp_service, udp_service}) {
    balancer.rewrite_slots(service, {primary.entry, backup.entry, PHX_NO_ENTRY, 0});
  }
  for (const Packet& packet : {syn(), datagram()}) {
    expect_sent(packet, primary, {"sent", "remembered"});
    know(packet, another);
    expect_sent(packet, another, {"sent", "by_flow"});
  }
}

// In such a slot previous is a guess at who had the slot in the past, not at who has this connection.
TEST_P(BalancerFlows, of_a_service_that_tracks_all_do_not_go_to_the_previous_of_a_settled_slot) {
  track(PHX_TRACK_ALL);
  expect_sent(data(), previous, {"sent", "by_previous", "remembered"});
  balancer.rewrite_slots(tcp_service, {primary.entry, backup.entry, previous.entry, 0});
  const Endpoint unknown{client.address, 999};
  expect_sent(Packet(kTcp, unknown, vip), primary, {"sent"});
  EXPECT_EQ(balancer.flows(), 1u);
}

}  // namespace
}  // namespace phalanx::test

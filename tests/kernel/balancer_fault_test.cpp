// SPDX-License-Identifier: Apache-2.0
// What cannot be forwarded is dropped for a named reason, and for no other.
#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

TEST_F(Balancer, drops_when_primary_and_backup_are_down) {
  balancer.serve(kTcp, vip4, b1, b2);
  balancer.take_down(b1);
  balancer.take_down(b2);
  expect(balancer.run(tcp4(client4, vip4))).dropped().counted({"no_backend_dropped"}).no_traffic();
}

TEST_F(Balancer, drops_when_the_slot_names_no_backend) {
  balancer.serve(kTcp, vip4, [](std::uint32_t) {
    return phx_slot{PHX_NO_ENTRY, PHX_NO_ENTRY, PHX_NO_ENTRY, 0};
  });
  expect(balancer.run(tcp4(client4, vip4))).dropped().counted({"no_backend_dropped"}).no_traffic();
}

TEST_F(Balancer, sends_to_the_backup_when_the_slot_names_no_primary) {
  balancer.serve(kTcp, vip4, [this](std::uint32_t) {
    return phx_slot{PHX_NO_ENTRY, b2.entry, PHX_NO_ENTRY, 0};
  });
  expect(balancer.run(tcp4(client4, vip4))).tx().encapsulated_to(b2).counted({"sent", "by_backup"});
}

TEST_F(Balancer, drops_when_the_entry_lies_beyond_the_map) {
  balancer.serve(kTcp, vip4, [](std::uint32_t) { return phx_slot{60000, 60001, PHX_NO_ENTRY, 0}; });
  expect(balancer.run(tcp4(client4, vip4))).dropped().counted({"no_backend_dropped"}).no_traffic();
}

TEST_F(Balancer, drops_when_the_service_row_is_free) {
  const auto service = balancer.serve(kTcp, vip4, b1, b2);
  balancer.rewrite_service(service, [](phx_service& row) { row.region = 0; });
  expect(balancer.run(tcp4(client4, vip4))).dropped().counted({"no_table_dropped"}).no_traffic();
}

TEST_F(Balancer, drops_when_the_service_lies_beyond_the_map) {
  balancer.serve(kTcp, vip4, b1, b2);
  balancer.point_vip_at(kTcp, vip4, 100000);
  expect(balancer.run(tcp4(client4, vip4))).dropped().counted({"no_table_dropped"}).no_traffic();
  balancer.point_vip_at(kTcp, vip4, PHX_NO_SERVICE);
  expect(balancer.run(tcp4(client4, vip4))).dropped().counted({"no_table_dropped"}).no_traffic();
}

TEST_F(Balancer, drops_when_the_region_lies_beyond_the_map) {
  const auto service = balancer.serve(kTcp, vip4, b1, b2);
  balancer.rewrite_service(service, [](phx_service& row) { row.region = phx_region(1u << 30, kSlots); });
  expect(balancer.run(tcp4(client4, vip4))).dropped().counted({"no_table_dropped"}).no_traffic();
}

TEST_F(Balancer, drops_when_the_driver_left_no_room_for_the_outer_header) {
  balancer.serve(kTcp, vip4, b1, b2);
  balancer.serve(kUdp, vip4, b1_over_ipv6, b2);
  constexpr std::uint32_t kAllOfIt = 212;  // of 256 bytes of headroom; the kernel keeps 40 for itself
  expect(balancer.run(tcp4(client4, vip4), kAllOfIt)).dropped().counted({"no_headroom_dropped"}).no_traffic();
  expect(balancer.run(udp4(client4, vip4), kAllOfIt)).dropped().counted({"no_headroom_dropped"}).no_traffic();
}

TEST_F(Balancer, needs_no_headroom_at_layer_2) {
  balancer.serve(kTcp, vip4, b3_at_layer_2, b2);
  expect(balancer.run(tcp4(client4, vip4), 212)).tx().sent_at_layer_2_to(b3_at_layer_2);
}

}  // namespace
}  // namespace phalanx::test

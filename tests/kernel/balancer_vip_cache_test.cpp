// SPDX-License-Identifier: Apache-2.0
// The path looks for a service in the cache first, and believes a row only if all of the key is there.
#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

class BalancerVipCache : public Balancer {
 protected:
  BalancerVipCache() {
    for (const Endpoint& vip : {vip4, vip6}) {
      balancer.serve(kTcp, vip, b1, b2);
      rows.push_back(balancer.cached(kTcp, vip));
    }
    other = balancer.serve(kTcp, {vip4.address, 8080}, b2, b1);
  }
  // Where a packet to each of the VIPs goes while its row of the cache is so changed.
  void expect_sent(const Backend& backend, const std::function<void(phx_vip_cache_row&)>& change) {
    const Packet packets[] = {tcp4(client4, vip4), tcp6(client6, vip6)};
    const Endpoint vips[] = {vip4, vip6};
    for (std::size_t i = 0; i < 2; i++) {
      phx_vip_cache_row row = rows[i];
      change(row);
      balancer.cache(kTcp, vips[i], row);
      expect(balancer.run(packets[i])).tx().encapsulated_to(backend).counted({"sent"});
    }
  }

  std::vector<phx_vip_cache_row> rows;
  std::uint32_t other = 0;
};

TEST_F(BalancerVipCache, says_which_service_it_is) {
  expect_sent(b1, [](phx_vip_cache_row&) {});
  expect_sent(b2, [this](phx_vip_cache_row& row) { row.service = other; });
}

TEST_F(BalancerVipCache, sends_packets_to_the_hash_where_it_holds_nothing) {
  expect_sent(b1, [](phx_vip_cache_row& row) { row = {}; });
  expect_sent(b1, [](phx_vip_cache_row& row) {  // was emptied
    row.key.port = row.key.protocol = row.key.family = 0;
    row.service = 0;
  });
}

TEST_F(BalancerVipCache, is_not_believed_when_its_row_is_of_another_key) {
  for (std::size_t byte = 0; byte < sizeof(phx_vip_key); byte++) {
    expect_sent(b1, [&](phx_vip_cache_row& row) {
      row.service = other;
      reinterpret_cast<std::uint8_t*>(&row.key)[byte] ^= 1;
    });
  }
}

TEST_F(BalancerVipCache, that_names_a_service_beyond_the_map_drops) {
  phx_vip_cache_row row = rows[0];
  row.service = 100000;
  balancer.cache(kTcp, vip4, row);
  expect(balancer.run(tcp4(client4, vip4))).dropped().counted({"no_table_dropped"}).no_traffic();
}

}  // namespace
}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <random>

#include "adapters/bpf/vip_cache.hpp"

namespace phalanx::adapters {
namespace {

phx_vip_key key(std::uint32_t address, std::uint16_t port) {
  phx_vip_key key{};
  std::memcpy(key.address, &address, sizeof(address));
  key.port = port;
  key.protocol = 6;
  key.family = PHX_FAMILY_IPV4;
  return key;
}

// Over memory that stands for the map's: the rules need no kernel.
class VipCacheTest : public testing::Test {
 protected:
  using Rows = MappedArray<phx_vip_cache_row>;

  VipCacheTest() : memory_(::memfd_create("vip_cache", 0)) {
    EXPECT_EQ(::ftruncate(memory_, sizeof(phx_vip_cache_row) * PHX_VIP_CACHE_ROWS), 0);
    rows = Rows::map(memory_, PHX_VIP_CACHE_ROWS, false);
    cache = VipCache(Rows::map(memory_, PHX_VIP_CACHE_ROWS, true));
  }
  ~VipCacheTest() override { ::close(memory_); }

  // As the path reads it.
  [[nodiscard]] std::uint32_t find(const phx_vip_key& key) const {
    const phx_vip_cache_row& row = *rows.read(phx_vip_cache_index(&key));
    return std::memcmp(&row.key, &key, sizeof(key)) == 0 ? row.service : PHX_NO_SERVICE;
  }
  // Another address whose service has the same row.
  static phx_vip_key rival_of(const phx_vip_key& one) {
    for (std::uint32_t address = 1;; address++) {
      const phx_vip_key other = key(address, 80);
      if (phx_vip_cache_index(&other) == phx_vip_cache_index(&one)) return other;
    }
  }

  const phx_vip_key one = key(0x0a7100cb, 80);
  Rows rows;
  VipCache cache;

 private:
  int memory_;
};

TEST_F(VipCacheTest, holds_a_service_until_it_is_removed) {
  EXPECT_EQ(find(one), PHX_NO_SERVICE);
  cache.put(one, 7);
  EXPECT_EQ(find(one), 7u);
  cache.put(one, 0);
  EXPECT_EQ(find(one), 0u);
  cache.remove(one);
  EXPECT_EQ(find(one), PHX_NO_SERVICE);
  cache.put(one, 8);
  EXPECT_EQ(find(one), 8u);
}

TEST_F(VipCacheTest, holds_no_row_that_names_no_service) {
  cache.put(one, PHX_NO_SERVICE);
  EXPECT_EQ(find(one), PHX_NO_SERVICE);
  const phx_vip_cache_row& row = *rows.read(phx_vip_cache_index(&one));
  EXPECT_EQ(row.key.family, PHX_FAMILY_NONE);
}

TEST_F(VipCacheTest, leaves_a_row_to_who_has_it) {
  const phx_vip_key rival = rival_of(one);
  cache.put(one, 1);
  cache.put(rival, 2);
  cache.remove(rival);
  EXPECT_EQ(find(one), 1u);
  EXPECT_EQ(find(rival), PHX_NO_SERVICE);
}

TEST_F(VipCacheTest, gives_a_row_to_another_address_at_a_start_only) {
  const phx_vip_key rival = rival_of(one);
  cache.put(one, 1);
  cache.remove(one);
  cache.put(rival, 2);
  EXPECT_EQ(find(rival), PHX_NO_SERVICE) << "the path may be between two loads of the row";
  cache.refill({{rival, {2, 0}}});
  EXPECT_EQ(find(rival), 2u);
}

TEST_F(VipCacheTest, makes_good_what_a_crash_left_behind) {
  cache.put(one, 1);
  const phx_vip_key gone = key(0x0b7100cb, 80);
  const phx_vip_key missing = key(0x0c7100cb, 80);
  cache.put(gone, 2);
  cache.refill({{one, {3, 0}}, {missing, {4, 0}}, {key(0x0c7100cb, 0), {PHX_NO_SERVICE, 0}}});
  EXPECT_EQ(find(one), 3u);
  EXPECT_EQ(find(gone), PHX_NO_SERVICE);
  EXPECT_EQ(find(missing), 4u);
}

TEST_F(VipCacheTest, never_says_anything_else_than_the_hash) {
  std::mt19937 chance(20);  // NOLINT(cert-msc51-cpp): the same on every run
  std::map<std::pair<std::uint32_t, std::uint16_t>, std::uint32_t> hash;
  std::size_t found = 0;
  for (int i = 0; i < 100'000; i++) {
    const auto address = 1 + static_cast<std::uint32_t>(chance() % 300);
    const auto port = static_cast<std::uint16_t>(1 + chance() % 20);
    const phx_vip_key any = key(address, port);
    if (chance() % 3 == 0) {
      hash.erase({address, port});
      cache.remove(any);
    } else {
      const auto service = static_cast<std::uint32_t>(chance() % 100);
      hash[{address, port}] = service;
      cache.put(any, service);
    }
    const auto probe = std::make_pair(1 + static_cast<std::uint32_t>(chance() % 300),
                                      static_cast<std::uint16_t>(1 + chance() % 20));
    const std::uint32_t said = find(key(probe.first, probe.second));
    if (said == PHX_NO_SERVICE) continue;
    found++;
    ASSERT_TRUE(hash.contains(probe)) << "step " << i;
    ASSERT_EQ(said, hash[probe]) << "step " << i;
  }
  EXPECT_GT(found, 10'000u) << "hardly anything was found";
}

}  // namespace
}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "adapters/bpf/vip_cache.hpp"

#include <atomic>
#include <cstddef>
#include <cstring>

namespace phalanx::adapters {
namespace {

// The second half of a row: the rest of the key, and the service. 0: the row holds nothing.
std::uint64_t half(const phx_vip_key& key, std::uint32_t service) {
  std::uint32_t rest = 0;
  std::memcpy(&rest, &key.port, sizeof(rest));
  return std::uint64_t{service} << 32 | rest;
}

std::atomic_ref<__u64> half_of(phx_vip_cache_row& row) {
  auto* at = reinterpret_cast<std::byte*>(&row) + PHX_OFFSET(phx_vip_cache_row, key.port);
  return std::atomic_ref<__u64>(*reinterpret_cast<__u64*>(at));
}

bool is_empty(phx_vip_cache_row& row) {
  return half_of(row).load(std::memory_order_relaxed) == 0;
}

bool is_never_used(const phx_vip_cache_row& row) {
  constexpr __u8 kNone[sizeof(row.key.address)] = {};
  return std::memcmp(row.key.address, kNone, sizeof(kNone)) == 0;
}

bool has_address(const phx_vip_cache_row& row, const phx_vip_key& key) {
  return std::memcmp(row.key.address, key.address, sizeof(key.address)) == 0;
}

bool holds(phx_vip_cache_row& row, const phx_vip_key& key) {
  const auto rest = static_cast<std::uint32_t>(half_of(row).load(std::memory_order_relaxed));
  return has_address(row, key) && rest == static_cast<std::uint32_t>(half(key, 0));
}

}  // namespace

void VipCache::put(const phx_vip_key& key, std::uint32_t service) {
  if (service == PHX_NO_SERVICE) {
    return;
  }
  phx_vip_cache_row& row = *rows_.write(phx_vip_cache_index(&key));
  if (is_never_used(row)) {
    std::memcpy(row.key.address, key.address, sizeof(key.address));
  }
  if (has_address(row, key) && (is_empty(row) || holds(row, key))) {
    half_of(row).store(half(key, service), std::memory_order_release);  // after the address
  }
}

void VipCache::remove(const phx_vip_key& key) {
  phx_vip_cache_row& row = *rows_.write(phx_vip_cache_index(&key));
  if (holds(row, key)) {
    half_of(row).store(0, std::memory_order_release);
  }
}

void VipCache::refill(const std::vector<std::pair<phx_vip_key, phx_vip>>& vips) {
  std::vector<bool> right(
      rows_.size());  // those that hold what they should keep it: packets are on their way
  for (const auto& [key, vip] : vips) {
    const std::uint32_t place = phx_vip_cache_index(&key);
    phx_vip_cache_row& row = *rows_.write(place);
    right[place] = right[place] || (has_address(row, key) && half_of(row).load() == half(key, vip.service));
  }
  for (std::uint32_t i = 0; i < rows_.size(); ++i) {
    if (!right[i]) {
      half_of(*rows_.write(i)).store(0);
      std::memset(rows_.write(i)->key.address, 0, sizeof(phx_vip_key::address));
    }
  }
  for (const auto& [key, vip] : vips) {
    put(key, vip.service);
  }
}

}  // namespace phalanx::adapters

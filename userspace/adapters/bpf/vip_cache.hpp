// SPDX-License-Identifier: Apache-2.0
// Map `vip_cache`: where the path finds most services before it looks into `vips`.
#pragma once

#include <phalanx.h>

#include <utility>
#include <vector>

#include "adapters/bpf/mapped_array.hpp"

namespace phalanx::adapters {

class VipCache {
 public:
  VipCache() = default;
  explicit VipCache(MappedArray<phx_vip_cache_row> rows) : rows_(std::move(rows)) {}

  // The row may be somebody else's: then the key is found in `vips` only. service: PHX_NO_SERVICE holds
  // nothing.
  void put(const phx_vip_key& key, std::uint32_t service);
  void remove(const phx_vip_key& key);
  // At a start, when nobody has written for a while: makes good what a crash left behind, and frees the rows
  // of addresses that are gone.
  void refill(const std::vector<std::pair<phx_vip_key, phx_vip>>& vips);

 private:
  MappedArray<phx_vip_cache_row> rows_;
};

}  // namespace phalanx::adapters

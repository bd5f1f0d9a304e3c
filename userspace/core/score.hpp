// SPDX-License-Identifier: Apache-2.0
// How much a slot wants a member: integer arithmetic only, so that every compiler and every node gets the
// same bits.
//
// Weighted rendezvous hashing takes the member with the least -log(u)/weight, u being uniform in (0, 1)
// (Schindelhauer and Schomaker 2005, "the logarithmic method"). Here u is a 64-bit hash, the logarithm is a
// table with linear interpolation, and the division a multiplication by a reciprocal.
#pragma once

#include <cstdint>

#include "core/address.hpp"

namespace phalanx::core {

// Two independent 64-bit values that stand for a slot, or for a member under a seed.
struct HashKey {
  std::uint64_t a = 0;
  std::uint64_t b = 0;

  friend bool operator==(const HashKey&, const HashKey&) = default;
};

HashKey slot_key(std::uint32_t slot);
HashKey member_key(const Endpoint& endpoint, std::uint64_t seed);

__extension__ using Wide = unsigned __int128;

inline std::uint64_t multiply_high(std::uint64_t x, std::uint64_t y) {
  return static_cast<std::uint64_t>((static_cast<Wide>(x) * y) >> 64);
}

// The 128-bit product folded to 64: the mixing step of wyhash (Wang Yi).
inline std::uint64_t multiply_fold(std::uint64_t x, std::uint64_t y) {
  const Wide product = static_cast<Wide>(x) * y;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Uniform in 0 .. 2^64 - 1. Of two members of equal weight, the slot prefers the one with the higher hash; a
// member prefers the slot with the higher hash.
inline std::uint64_t pair_hash(const HashKey& slot, const HashKey& member) {
  return multiply_fold(slot.a ^ member.a, slot.b ^ member.b);
}

// Uniform in 0 .. 65535, independent of pair_hash: a member with admission r holds the slots below r.
inline std::uint32_t thinning(const HashKey& slot, const HashKey& member) {
  constexpr HashKey other{0x9fb21c651e98df25, 0xd6e8feb86659fd93};
  return static_cast<std::uint32_t>(multiply_fold(slot.a ^ member.a ^ other.a, slot.b ^ member.b ^ other.b) >>
                                    48);
}

// -log2(hash / 2^64), about, in units of 2^-57; 0 counts as 1. Never rises with hash. It is rounded up from
// chords of a convex function, so it is never less than the real one.
std::uint64_t negative_log2(std::uint64_t hash);

// weight: 1 .. 65535.
inline std::uint64_t weight_reciprocal(std::uint32_t weight) {
  return ~std::uint64_t{0} / weight;
}

// The lower, the more wanted. Members of one weight come in the order of their hashes.
inline std::uint64_t weighted_score(std::uint64_t hash, std::uint64_t reciprocal) {
  return multiply_high(negative_log2(hash), reciprocal);
}

// At most weighted_score(hash, reciprocal) when factor is weighted_score_bound_factor(reciprocal), and much
// cheaper: -log2(u) > 1.44 * (1 - u).
inline std::uint64_t weighted_score_bound(std::uint64_t hash, std::uint64_t factor) {
  return multiply_high(~hash >> 6, factor);
}
inline std::uint64_t weighted_score_bound_factor(std::uint64_t reciprocal) {
  return multiply_high(reciprocal, 0xb851eb851eb851eb);  // 0.72 * 2^64, rounded down; 1.44 is twice that
}

}  // namespace phalanx::core

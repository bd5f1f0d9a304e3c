// SPDX-License-Identifier: Apache-2.0
#include "core/score.hpp"

#include <array>
#include <bit>
#include <cstddef>

namespace phalanx::core {
namespace {

// The finalizer of splitmix64 (Steele, Lea and Flood 2014; constants by Stafford).
constexpr std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;

// Eight bytes as a little-endian number, whatever the host's order.
std::uint64_t load(const std::uint8_t* bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

constexpr int kCellBits = 10;
constexpr std::size_t kCells = std::size_t{1} << kCellBits;
constexpr int kFractionBits = 57;            // of the result
constexpr int kOffsetBits = 63 - kCellBits;  // of a place within a cell
constexpr std::uint64_t kCell = 1ull << kOffsetBits;

// log2(x / 2^63) in units of 2^-57, rounded down, for x in 2^63 .. 2^64 - 1: the bits come out one by one by
// squaring (Knuth, TAOCP 1.2.2, exercise 28).
constexpr std::uint64_t log2_bits(std::uint64_t x) {
  std::uint64_t result = 0;
  for (int bit = 0; bit < kFractionBits; ++bit) {
    const Wide square = static_cast<Wide>(x) * x;
    const bool carries = (square >> 127) != 0;
    result = result << 1 | static_cast<std::uint64_t>(carries);
    x = static_cast<std::uint64_t>(square >> (carries ? 64 : 63));
  }
  return result;
}

// 1 - log2(1 + i / kCells), from 1 down to exactly 0.
constexpr std::array<std::uint64_t, kCells + 1> make_table() {
  std::array<std::uint64_t, kCells + 1> table{};
  for (std::size_t i = 0; i < kCells; ++i) {
    table[i] = (1ull << kFractionBits) - log2_bits((1ull << 63) + (i << kOffsetBits));
  }
  table[kCells] = 0;
  return table;
}

constexpr std::array<std::uint64_t, kCells + 1> kTable = make_table();
static_assert(kTable[0] == 1ull << kFractionBits);

}  // namespace

HashKey slot_key(std::uint32_t slot) {
  const std::uint64_t a = mix((slot + 1ull) * kGolden);
  return {a, mix(a + kGolden)};
}

HashKey member_key(const Endpoint& endpoint, std::uint64_t seed) {
  const auto& bytes = endpoint.address.bytes;
  const std::uint64_t tail = static_cast<std::uint64_t>(endpoint.address.family) << 16 | endpoint.port;
  std::uint64_t hash = mix(seed + kGolden);
  for (const std::uint64_t word : {load(bytes.data()), load(bytes.data() + 8), tail}) {
    hash = mix((hash ^ word) + kGolden);
  }
  return {hash, mix(hash + kGolden)};
}

std::uint64_t negative_log2(std::uint64_t hash) {
  hash |= hash == 0 ? 1 : 0;
  const int shift = std::countl_zero(hash);
  const std::uint64_t mantissa = hash << shift;
  const std::size_t cell = (mantissa >> kOffsetBits) & (kCells - 1);
  const std::uint64_t to_end = kCell - (mantissa & (kCell - 1));
  const Wide rise = static_cast<Wide>(kTable[cell] - kTable[cell + 1]) * to_end;
  return (static_cast<std::uint64_t>(shift) << kFractionBits) + kTable[cell + 1] +
         static_cast<std::uint64_t>(rise >> kOffsetBits) + 1;
}

}  // namespace phalanx::core

// SPDX-License-Identifier: Apache-2.0
// Frames that look like traffic, and frames that look nearly like it.
#pragma once

#include <cstdint>
#include <vector>

namespace phalanx::fuzz {

using Bytes = std::vector<std::uint8_t>;

// SplitMix64 (Steele, Lea, Flood, 2014): the same sequence everywhere.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t word();
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(word() % bound); }
  bool once_in(std::uint32_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

// Ethernet with up to three tags, IPv4 with options or IPv6 with extension headers, whole or a fragment, over
// it TCP, UDP, ICMP, an ICMP error that quotes a packet, a tunnel, or something else; now and then lengths
// lie, bytes are changed or the end is cut off. At least 14 bytes, at most kMaxMadeFrame.
Bytes make_frame(Dice& dice);
inline constexpr std::size_t kMaxMadeFrame = 2000;

// Changes some bytes of it, cuts it off, or sets a known address or port into it.
void damage(Bytes& frame, Dice& dice);

}  // namespace phalanx::fuzz

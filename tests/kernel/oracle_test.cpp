// SPDX-License-Identifier: Apache-2.0
// The second opinion is worth something only if it can disagree.
#include "oracle.hpp"

#include <gtest/gtest.h>

#include "packet.hpp"

namespace phalanx::test {
namespace {

const Endpoint kClient4{"203.0.113.7", 40000};
const Endpoint kVip4{"198.51.100.10", 80};
const Endpoint kClient6{"2001:db8:c::7", 40000};
const Endpoint kVip6{"2001:db8:e::10", 80};

Bytes with_flipped_bit(Bytes frame, std::size_t at) {
  frame.at(at) ^= 1;
  return frame;
}

TEST(Oracle, reads_sound_packets) {
  EXPECT_EQ(scapy_reads(tcp4(kClient4, kVip4).frame()), "IP 203.0.113.7>198.51.100.10 / TCP 40000>80");
  EXPECT_EQ(scapy_reads(udp6(kClient6, kVip6).frame()), "IPv6 2001:db8:c::7>2001:db8:e::10 / UDP 40000>80");
}

TEST(Oracle, notices_every_length_and_checksum_that_is_wrong) {
  const Bytes in4 = tcp4(kClient4, kVip4).frame();
  const Bytes in6 = udp6(kClient6, kVip6).frame();
  for (const std::size_t at : {17u, 25u, 51u}) {  // IPv4 length and checksum, TCP checksum
    EXPECT_EQ(scapy_reads(with_flipped_bit(in4, at)).substr(0, 6), "wrong:") << "byte " << at;
  }
  for (const std::size_t at : {19u, 59u, 61u}) {  // IPv6 payload length, UDP length and checksum
    EXPECT_EQ(scapy_reads(with_flipped_bit(in6, at)).substr(0, 6), "wrong:") << "byte " << at;
  }
}

}  // namespace
}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
// The hops of a packet: what is written is read again, byte by byte as the contract says, and what is not
// written so is told by name.
#include <gtest/gtest.h>
#include <lib/second_chance.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/address.hpp"

namespace phalanx {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Host {
  __u8 family = PHX_FAMILY_NONE;
  std::array<__u8, 16> address{};
};

Host host(const char* text) {
  const auto address = *core::parse_address(text);
  Host host{static_cast<__u8>(address.size() == 4 ? PHX_FAMILY_IPV4 : PHX_FAMILY_IPV6), {}};
  std::copy_n(address.bytes.begin(), address.size(), host.address.begin());
  return host;
}

// In memory of exactly as many bytes, so that AddressSanitizer sees what goes beyond.
struct Exactly {
  explicit Exactly(const Bytes& bytes) : size(bytes.size()), memory(new std::uint8_t[bytes.size()]) {
    std::copy(bytes.begin(), bytes.end(), memory.get());
  }
  const std::uint8_t* end() const { return memory.get() + size; }
  std::size_t size;
  std::unique_ptr<std::uint8_t[]> memory;
};

phx_hops_kind judge(const Bytes& bytes) {
  const Exactly exactly(bytes);
  return phx_judge_hops(exactly.memory.get(), exactly.end(), static_cast<__u32>(exactly.size));
}

std::string next_of(const Bytes& bytes) {
  const Exactly exactly(bytes);
  phx_agent_node hop{};
  if (phx_read_hop(exactly.memory.get(), exactly.end(), &hop) == 0) return "none";
  core::Address address;
  address.family = hop.family == PHX_FAMILY_IPV4 ? core::Family::ipv4 : core::Family::ipv6;
  std::copy_n(hop.address, address.size(), address.bytes.begin());
  EXPECT_EQ(hop.prefix_length, 32u + static_cast<unsigned>(address.size()) * 8);
  return to_string(address);
}

int write(const Exactly& at, const Host& first, const Host& second) {
  return phx_write_hops(at.memory.get(), at.end(), first.family, first.address.data(), second.family,
                        second.family == PHX_FAMILY_NONE ? nullptr : second.address.data());
}

Bytes written(const Host& first, const Host& second = {}) {
  const __u32 count = second.family == PHX_FAMILY_NONE ? 1 : 2;
  Exactly exactly(Bytes(phx_hops_size(phx_hops_version_of(first.family, second.family), count), 0xee));
  EXPECT_EQ(write(exactly, first, second), 1);
  return {exactly.memory.get(), exactly.memory.get() + exactly.size};
}

const Host k4 = host("10.0.1.11");
const Host kOther4 = host("10.0.2.12");
const Host k6 = host("fd00::11");

TEST(SecondChance, hops_of_ipv4_are_written_as_version_0) {
  EXPECT_EQ(written(k4), (Bytes{0, 0, 0, 1, 10, 0, 1, 11}));
  EXPECT_EQ(written(k4, kOther4), (Bytes{0, 0, 0, 2, 10, 0, 1, 11, 10, 0, 2, 12}));
}

TEST(SecondChance, hops_of_which_one_is_of_ipv6_are_written_as_version_1) {
  EXPECT_EQ(written(k6), (Bytes{0x10, 0, 0, 1, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11}));
  const Bytes mixed{0x10, 0,  0,    2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0,
                    1,    11, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0,    0,  0x11};
  EXPECT_EQ(written(k4, k6), mixed);
}

TEST(SecondChance, sizes_of_none_one_and_two_hops) {
  EXPECT_EQ(phx_hops_size(PHX_HOPS_VERSION_0, 0), 0u);
  EXPECT_EQ(phx_hops_size(PHX_HOPS_VERSION_0, 1), 8u);
  EXPECT_EQ(phx_hops_size(PHX_HOPS_VERSION_0, 2), 12u);
  EXPECT_EQ(phx_hops_size(PHX_HOPS_VERSION_1, 0), 0u);
  EXPECT_EQ(phx_hops_size(PHX_HOPS_VERSION_1, 1), 20u);
  EXPECT_EQ(phx_hops_size(PHX_HOPS_VERSION_1, 2), 36u);
  EXPECT_EQ(PHX_HOPS_MOST, 36u);
}

TEST(SecondChance, hops_are_not_written_beyond_the_end) {
  for (const auto& [first, second] : {std::pair{k4, Host{}}, {k4, kOther4}, {k6, Host{}}, {k6, k4}}) {
    const std::size_t whole = written(first, second).size();
    for (std::size_t size = 0; size < whole; ++size) {
      Exactly exactly(Bytes(size, 0));
      EXPECT_EQ(write(exactly, first, second), 0) << size << " of " << whole << " bytes";
    }
  }
}

TEST(SecondChance, what_is_written_is_read_again) {
  for (const auto& [first, second] : {std::pair{k4, kOther4}, {k4, k6}, {k6, k4}}) {
    Bytes bytes = written(first, second);
    EXPECT_EQ(judge(bytes), PHX_HOPS_NEXT);
    EXPECT_EQ(next_of(bytes), first.family == PHX_FAMILY_IPV4 ? "10.0.1.11" : "fd00::11");
    bytes[2] = 1;
    EXPECT_EQ(judge(bytes), PHX_HOPS_NEXT);
    EXPECT_EQ(next_of(bytes), second.family == PHX_FAMILY_IPV6  ? "fd00::11"
                              : first.family == PHX_FAMILY_IPV6 ? "10.0.1.11"
                                                                : "10.0.2.12");
    bytes[2] = 2;
    EXPECT_EQ(judge(bytes), PHX_HOPS_USED_UP);
  }
}

TEST(SecondChance, no_private_data_and_a_count_of_zero_are_no_hops) {
  EXPECT_EQ(judge({0, 0, 0, 0}), PHX_HOPS_NONE);
  EXPECT_EQ(judge({0x10, 0, 0, 0}), PHX_HOPS_NONE);
}

TEST(SecondChance, private_data_that_ends_before_the_last_hop_is_cut) {
  EXPECT_EQ(judge({0}), PHX_HOPS_CUT);
  EXPECT_EQ(judge({0, 0, 0}), PHX_HOPS_CUT);
  EXPECT_EQ(judge({0, 0, 0, 1}), PHX_HOPS_CUT);
  EXPECT_EQ(judge({0, 0, 0, 255, 10, 0, 1, 11}), PHX_HOPS_CUT);
  EXPECT_EQ(judge({0x10, 0, 0, 1, 10, 0, 1, 11}), PHX_HOPS_CUT);
}

TEST(SecondChance, private_data_behind_the_last_hop_is_trailing) {
  EXPECT_EQ(judge({0, 0, 0, 0, 10, 0, 1, 11}), PHX_HOPS_TRAILING);
  EXPECT_EQ(judge({0, 0, 0, 1, 10, 0, 1, 11, 10, 0, 2, 12}), PHX_HOPS_TRAILING);
}

TEST(SecondChance, other_versions_are_unknown) {
  for (int version = 0; version < 256; ++version) {
    const auto byte = static_cast<std::uint8_t>(version);
    const bool known = version == 0x00 || version == 0x10;
    EXPECT_EQ(judge({byte, 0, 0, 0}), known ? PHX_HOPS_NONE : PHX_HOPS_UNKNOWN) << version;
    EXPECT_EQ(judge({0, byte, 0, 0}), version == 0 ? PHX_HOPS_NONE : PHX_HOPS_UNKNOWN) << version;
  }
}

TEST(SecondChance, a_next_hop_beyond_the_count_is_told) {
  EXPECT_EQ(judge({0, 0, 1, 0}), PHX_HOPS_BEYOND);
  EXPECT_EQ(judge({0, 0, 2, 1, 10, 0, 1, 11}), PHX_HOPS_BEYOND);
  EXPECT_EQ(judge({0, 0, 255, 1, 10, 0, 1, 11}), PHX_HOPS_BEYOND);
}

TEST(SecondChance, as_many_hops_are_read_as_the_gue_header_has_room_for) {
  Bytes most0{0, 0, 29, 30};
  for (int i = 0; i < 30; ++i) most0.insert(most0.end(), {10, 0, 9, static_cast<std::uint8_t>(i)});
  EXPECT_EQ(judge(most0), PHX_HOPS_NEXT);
  EXPECT_EQ(next_of(most0), "10.0.9.29");
  Bytes most1{0x10, 0, 6, 7};
  for (int i = 0; i < 7; ++i) {
    most1.insert(most1.end(), 15, 0xfd);
    most1.push_back(static_cast<std::uint8_t>(i));
  }
  EXPECT_EQ(judge(most1), PHX_HOPS_NEXT);
  EXPECT_EQ(next_of(most1), "fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fd06");
}

phx_agent_node node(const Host& host) {
  phx_agent_node node{};
  __u64 halves[2];
  std::copy_n(host.address.begin(), 16, reinterpret_cast<__u8*>(halves));
  phx_hop(&node, halves[0], halves[1], host.family);
  return node;
}

TEST(SecondChance, a_hop_that_has_had_the_packet_is_a_loop) {
  const phx_agent_node hop = node(k4);
  const phx_agent_node other = node(kOther4);
  const phx_agent_node third = node(k6);
  EXPECT_TRUE(phx_is_loop(&hop, &hop, &other, 0)) << "it is this host";
  EXPECT_TRUE(phx_is_loop(&hop, &other, &hop, 1)) << "it passed the packet on";
  EXPECT_FALSE(phx_is_loop(&hop, &other, &hop, 0)) << "it sent the packet as a node";
  EXPECT_FALSE(phx_is_loop(&hop, &other, &third, 1));
}

TEST(SecondChance, hosts_of_different_families_are_never_the_same) {
  const phx_agent_node ipv4 = node(host("253.0.0.0"));
  const phx_agent_node ipv6 = node(host("fd00::"));
  EXPECT_FALSE(phx_is_same_host(&ipv4, &ipv6));
}

TEST(SecondChance, garbage_is_judged_without_a_look_beyond_it) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 100'000; ++i) {
    Bytes bytes(random() % 130);
    for (std::uint8_t& byte : bytes)
      byte = static_cast<std::uint8_t>(random() % 3 == 0 ? random() : random() % 8);
    if (!bytes.empty() && random() % 2 == 0) bytes[0] = static_cast<std::uint8_t>(random() % 2 * 0x10);
    if (judge(bytes) == PHX_HOPS_NEXT) {
      EXPECT_NE(next_of(bytes), "none");
    }
    next_of(bytes);
  }
}

}  // namespace
}  // namespace phalanx

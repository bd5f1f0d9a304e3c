// SPDX-License-Identifier: Apache-2.0
// The hops of a packet, byte by byte as the contract says.
#include <gtest/gtest.h>
#include <lib/second_chance.h>

#include <algorithm>
#include <cstdint>
#include <memory>
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

}  // namespace
}  // namespace phalanx

// SPDX-License-Identifier: Apache-2.0
// The slot hash, compiled natively: what user space computes, and how evenly flows fall.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "address.hpp"
#include "lib/hash.h"

namespace phalanx::test {
namespace {

constexpr std::uint32_t kSlots = 4096;
constexpr std::uint32_t kFlows = kSlots * 64;

phx_flow flow(const Endpoint& from, const Endpoint& to, std::uint8_t protocol) {
  phx_flow flow{};
  const auto source = map_address(from.address);
  const auto destination = map_address(to.address);
  std::copy(source.begin(), source.end(), flow.source);
  std::copy(destination.begin(), destination.end(), flow.to.address);
  flow.source_port = __builtin_bswap16(from.port);
  flow.to.port = __builtin_bswap16(to.port);
  flow.to.protocol = protocol;
  flow.to.family = map_family(to.address);
  return flow;
}

void add_to(std::uint8_t* bytes, std::size_t size, std::uint64_t number) {
  for (std::size_t i = size; i-- > 0; number >>= 8) {
    number += bytes[i];
    bytes[i] = static_cast<std::uint8_t>(number);
  }
}

// By how many standard deviations chi-squared over the slots misses its expectation.
double deviation(const std::function<std::uint32_t(std::uint32_t)>& slot_of_flow) {
  std::vector<std::uint32_t> hits(kSlots);
  for (std::uint32_t i = 0; i < kFlows; i++) hits.at(slot_of_flow(i))++;
  constexpr double kExpected = static_cast<double>(kFlows) / kSlots;
  double chi_squared = 0;
  for (const std::uint32_t count : hits) chi_squared += (count - kExpected) * (count - kExpected) / kExpected;
  return (chi_squared - (kSlots - 1)) / std::sqrt(2.0 * (kSlots - 1));
}

// Random placement stays within 5 deviations but once in millions of trials; fewer collisions than that is
// fine.
constexpr double kAllowed = 5;

class SlotHash : public testing::TestWithParam<std::uint64_t> {
 protected:
  [[nodiscard]] std::uint32_t slot(const phx_flow& flow) const {
    return phx_slot_index(phx_region(0, kSlots), phx_slot_hash(&flow, GetParam()));
  }
  // Both families, with `step` turning flow number i into a change of the first flow.
  void expect_even(const std::function<void(phx_flow&, std::size_t, std::uint32_t)>& step) const {
    const phx_flow first[] = {flow({"10.1.0.0", 1024}, {"198.51.100.10", 80}, 6),
                              flow({"2001:db8::", 1024}, {"2001:db8:e::10", 80}, 6)};
    for (const phx_flow& base : first) {
      const std::size_t address = base.to.family == PHX_FAMILY_IPV4 ? 4 : 16;
      EXPECT_LT(deviation([&](std::uint32_t i) {
                  phx_flow changed = base;
                  step(changed, address, i);
                  return slot(changed);
                }),
                kAllowed)
          << "IPv" << int{base.to.family};
    }
  }
};

void set_port(phx_flow& flow, std::uint32_t port) {
  flow.source_port = __builtin_bswap16(static_cast<std::uint16_t>(port));
}

TEST_P(SlotHash, spreads_sequential_clients_of_one_port) {
  expect_even([](phx_flow& flow, std::size_t size, std::uint32_t i) { add_to(flow.source, size, i); });
}

TEST_P(SlotHash, spreads_sequential_ports_of_a_few_clients) {
  expect_even([](phx_flow& flow, std::size_t size, std::uint32_t i) {
    add_to(flow.source, size, i >> 16);
    set_port(flow, i);
  });
}

TEST_P(SlotHash, spreads_ports_in_steps_of_two_as_linux_chooses_them) {
  expect_even([](phx_flow& flow, std::size_t size, std::uint32_t i) {
    add_to(flow.source, size, i / 14000);
    set_port(flow, 32768 + i % 14000 * 2);
  });
}

TEST_P(SlotHash, spreads_one_client_of_each_network) {
  expect_even([](phx_flow& flow, std::size_t size, std::uint32_t i) { add_to(flow.source, size - 1, i); });
  expect_even(
      [](phx_flow& flow, std::size_t, std::uint32_t i) { add_to(flow.source, 4, std::uint64_t{i} << 8); });
}

TEST_P(SlotHash, spreads_clients_whose_port_follows_their_address) {
  expect_even([](phx_flow& flow, std::size_t size, std::uint32_t i) {
    add_to(flow.source, size, i);
    set_port(flow, i);
  });
}

TEST_P(SlotHash, spreads_one_client_over_sequential_vips_and_ports) {
  expect_even([](phx_flow& flow, std::size_t size, std::uint32_t i) {
    add_to(flow.to.address, size, i >> 4);
    flow.to.port = __builtin_bswap16(static_cast<std::uint16_t>(i & 15));
  });
}

// A bit of the input flips about half of the 64 bits that come out, each about half of the time.
TEST_P(SlotHash, depends_on_every_bit_of_the_flow) {
  const phx_flow base = flow({"2001:db8:c::7", 40000}, {"2001:db8:e::10", 80}, 6);
  const std::size_t kIgnored[] = {PHX_OFFSET(phx_flow, to.family), PHX_OFFSET(phx_flow, reserved),
                                  PHX_OFFSET(phx_flow, reserved) + 1};
  for (std::size_t byte = 0; byte < sizeof(phx_flow); byte++) {
    if (std::find(std::begin(kIgnored), std::end(kIgnored), byte) != std::end(kIgnored)) continue;
    for (unsigned bit = 0; bit < 8; bit++) {
      phx_flow changed = base;
      reinterpret_cast<std::uint8_t*>(&changed)[byte] ^= static_cast<std::uint8_t>(1u << bit);
      const auto difference = phx_slot_hash(&base, GetParam()) ^ phx_slot_hash(&changed, GetParam());
      const int flipped = __builtin_popcountll(difference);
      EXPECT_GT(flipped, 10) << "byte " << byte << " bit " << bit;
      EXPECT_LT(flipped, 54) << "byte " << byte << " bit " << bit;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SlotHash,
                         testing::Values(0, 1, 0x5eed, 0x8000000000000000, 0xffffffffffffffff,
                                         0x0123456789abcdef));

}  // namespace
}  // namespace phalanx::test

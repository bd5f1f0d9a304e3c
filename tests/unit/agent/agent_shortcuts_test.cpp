// SPDX-License-Identifier: Apache-2.0
#include "agent/agent_shortcuts.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace phalanx::agent {
namespace {

core::Address address(const char* text) {
  return *core::parse_address(text);
}

std::uint64_t word(const char* text, std::size_t at) {
  std::uint64_t value = 0;
  std::memcpy(&value, address(text).bytes.data() + at, sizeof(value));
  return value;
}

const phx_agent_vip_row& row_of(const phx_agent_shortcuts& shortcuts, const char* vip) {
  return shortcuts.vips[phx_agent_vip_index(word(vip, 0), word(vip, 8))];
}

TEST(AgentShortcuts, of_nothing_are_free_rows) {
  const phx_agent_shortcuts shortcuts = shortcuts_of({}, {}, {});
  EXPECT_EQ(shortcuts.sources[0].family, PHX_FAMILY_NONE);
  for (const phx_agent_vip_row& row : shortcuts.vips) {
    EXPECT_EQ(row.family, PHX_FAMILY_NONE);
  }
}

TEST(AgentShortcuts, hold_nodes_then_peers_as_address_and_mask) {
  const phx_agent_shortcuts shortcuts =
      shortcuts_of({}, {*core::parse_prefix("10.0.0.0/22")}, {*core::parse_prefix("fd00:1::/65")});
  EXPECT_EQ(shortcuts.sources[0].family, PHX_FAMILY_IPV4);
  EXPECT_EQ(shortcuts.sources[0].address[0], word("10.0.0.0", 0));
  EXPECT_EQ(shortcuts.sources[0].mask[0], word("255.255.252.0", 0));
  EXPECT_EQ(shortcuts.sources[0].mask[1], 0u);
  EXPECT_EQ(shortcuts.sources[1].family, PHX_FAMILY_IPV6);
  EXPECT_EQ(shortcuts.sources[1].mask[0], ~std::uint64_t{0});
  EXPECT_EQ(shortcuts.sources[1].mask[1], word("::8000:0:0:0", 8));
  EXPECT_EQ(shortcuts.sources[2].family, PHX_FAMILY_NONE);
}

TEST(AgentShortcuts, take_the_first_nodes_and_peers_that_there_is_room_for) {
  const std::vector<core::Prefix> many(100, *core::parse_prefix("10.0.0.1/32"));
  const phx_agent_shortcuts shortcuts = shortcuts_of({}, many, many);
  for (const phx_agent_source_row& row : shortcuts.sources) {
    EXPECT_EQ(row.family, PHX_FAMILY_IPV4);
  }
}

TEST(AgentShortcuts, hold_a_vip_in_its_own_place_unless_another_has_it) {
  std::vector<core::Address> vips;
  for (int i = 0; i < 1024; ++i) {
    vips.push_back(address(("198.18." + std::to_string(i / 256) + "." + std::to_string(i % 256)).c_str()));
  }
  const phx_agent_shortcuts shortcuts = shortcuts_of(vips, {}, {});
  std::size_t held = 0;
  for (const core::Address& vip : vips) {
    const std::string text = to_string(vip);
    const phx_agent_vip_row& row = row_of(shortcuts, text.c_str());
    EXPECT_EQ(row.family, PHX_FAMILY_IPV4);
    held += row.address[0] == word(text.c_str(), 0) ? 1u : 0u;
  }
  EXPECT_GT(held, 512u);
  EXPECT_LT(held, vips.size() + 1);
}

TEST(AgentShortcuts, flow_keys_are_random_and_never_none) {
  const auto one = random_flow_keys();
  const auto other = random_flow_keys();
  ASSERT_TRUE(one && other);
  EXPECT_NE(std::memcmp(&*one, &*other, sizeof(*one)), 0);
  EXPECT_NE(one->first[0], 0u);
}

}  // namespace
}  // namespace phalanx::agent

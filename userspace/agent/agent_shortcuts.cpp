// SPDX-License-Identifier: Apache-2.0
#include "agent/agent_shortcuts.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace phalanx::agent {
namespace {

// As the program reads them: two words, in memory as on the wire.
using Words = std::array<__u64, 2>;

Words words_of(const std::array<std::uint8_t, 16>& bytes) {
  Words words{};
  std::memcpy(words.data(), bytes.data(), sizeof(words));
  return words;
}

__u32 family_of(const core::Address& address) {
  return address.family == core::Family::ipv6 ? PHX_FAMILY_IPV6 : PHX_FAMILY_IPV4;
}

Words mask_of(int length) {
  std::array<std::uint8_t, 16> bytes{};
  for (int bit = 0; bit < length; ++bit) {
    bytes[static_cast<std::size_t>(bit / 8)] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
  }
  return words_of(bytes);
}

phx_agent_source_row row_of(const core::Prefix& source) {
  const Words address = words_of(source.address.bytes);
  const Words mask = mask_of(source.length);
  return {{address[0], address[1]}, {mask[0], mask[1]}, family_of(source.address), 0};
}

}  // namespace

phx_agent_shortcuts shortcuts_of(const std::vector<core::Address>& vips,
                                 const std::vector<core::Prefix>& nodes,
                                 const std::vector<core::Prefix>& peers) {
  phx_agent_shortcuts shortcuts{};
  std::size_t used = 0;
  for (const auto* sources : {&nodes, &peers}) {
    for (const core::Prefix& source : *sources) {
      if (used < PHX_AGENT_SOURCE_ROWS) {
        shortcuts.sources[used++] = row_of(source);
      }
    }
  }
  for (const core::Address& vip : vips) {
    const Words address = words_of(vip.bytes);
    phx_agent_vip_row& row = shortcuts.vips[phx_agent_vip_index(address[0], address[1])];
    if (row.family == PHX_FAMILY_NONE) {
      row = {{address[0], address[1]}, family_of(vip), 0};
    }
  }
  return shortcuts;
}

Result<phx_agent_flow_keys> random_flow_keys() {
  phx_agent_flow_keys keys{};
  if (::getrandom(&keys, sizeof(keys), 0) != static_cast<ssize_t>(sizeof(keys))) {
    return fail(std::string("draw the keys of the flow hash: ") + std::strerror(errno));
  }
  keys.first[0] |= 1;  // 0 would mean: no keys
  return keys;
}

}  // namespace phalanx::agent

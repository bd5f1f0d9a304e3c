// SPDX-License-Identifier: Apache-2.0
// Where a packet of a service goes, in a few lines: the rules of the packet path over rows of phalanx.h,
// written from the contract and not from the program.
#pragma once

#include <phalanx.h>

#include <cstdint>
#include <optional>

namespace phalanx::fakes {

enum class PacketKind : std::uint8_t { syn, other_tcp, udp };

struct Ruling {
  std::uint16_t entry = PHX_NO_ENTRY;  // none: nobody is up
  bool remember = false;               // the flow table is to say so from now on
};

// state_of(entry): its state word, 0 for PHX_NO_ENTRY. hit: the entry that the flow table names.
template <typename StateOf>
Ruling rule(const phx_slot& slot, bool tracked, bool keep_on_down, PacketKind kind,
            std::optional<std::uint16_t> hit, StateOf state_of) {
  const auto has = [&](std::uint16_t entry, std::uint64_t bit) { return (state_of(entry) & bit) != 0; };
  const std::uint16_t by_slot = has(slot.primary, PHX_STATE_UP)  ? slot.primary
                                : has(slot.backup, PHX_STATE_UP) ? slot.backup
                                                                 : static_cast<std::uint16_t>(PHX_NO_ENTRY);
  if (!tracked) {
    return {by_slot, false};
  }
  if (hit && kind == PacketKind::syn && (!has(*hit, PHX_STATE_UP) || has(*hit, PHX_STATE_DRAINING))) {
    hit.reset();
  }
  if (hit && (has(*hit, PHX_STATE_UP) || (keep_on_down && has(*hit, PHX_STATE_REACHABLE)))) {
    return {*hit, true};
  }
  const bool is_unknown = !hit && kind == PacketKind::other_tcp;
  if (is_unknown && has(slot.previous, PHX_STATE_UP)) {
    return {slot.previous, true};
  }
  return {by_slot, by_slot != PHX_NO_ENTRY && !is_unknown};
}

}  // namespace phalanx::fakes

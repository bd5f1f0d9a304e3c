// SPDX-License-Identifier: Apache-2.0
// The slot table of one service: who is primary and who is backup of every slot, and what a change of one
// backend changes. A pure function of (members, seed, slots, standing): no history, no clock, no I/O.
//
// Base: capped rendezvous hashing (Highest Random Weight, Thaler and Ravishankar 1998, with capacities
// settled by deferred acceptance, Gale and Shapley 1962). Identity of a member is its endpoint, never its
// name or its place in the list, so two nodes given the same backends in other orders build the same table.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/address.hpp"

namespace phalanx::core {

// A member's place in SlotTableSpec::members.
using MemberIndex = std::uint16_t;
inline constexpr MemberIndex kNoMember = 0xffff;

// Names the algorithm: nodes whose versions differ compute different tables from the same facts.
inline constexpr std::uint32_t kTableVersion = 1;

// Admission 1: all of its own slots.
inline constexpr std::uint32_t kFullAdmission = 65536;

struct SlotTableMember {
  Endpoint endpoint;
  std::uint16_t weight = 100;
  int tier = 0;

  friend bool operator==(const SlotTableMember&, const SlotTableMember&) = default;
};

struct SlotTableSpec {
  std::vector<SlotTableMember> members;  // 1..65,534; endpoints unique
  std::uint32_t slots = 65536;           // a power of two
  std::uint64_t seed = 0;

  friend bool operator==(const SlotTableSpec&, const SlotTableSpec&) = default;
};

// What decides whether a member may hold slots now.
struct Standing {
  bool up = true;
  // Share of its own slots that it may hold now, in 1/65536: 0 (disabled, draining, down) .. 65536 (all).
  // Only an up member's admission counts.
  std::uint32_t admission = kFullAdmission;

  friend bool operator==(const Standing&, const Standing&) = default;
};

struct SlotOwners {
  MemberIndex primary = kNoMember;
  MemberIndex backup = kNoMember;
  MemberIndex previous = kNoMember;

  friend bool operator==(const SlotOwners&, const SlotOwners&) = default;
};

struct SlotChange {
  std::uint32_t slot = 0;
  MemberIndex former_server = kNoMember;  // whom server() named before
  SlotOwners owners;
};

// Rules:
//   base        every slot proposes to the members of the lowest tier that has weight, in falling order of
//               score; a member keeps its best ceil(1.02 * slots * weight / total) and refuses the others. If
//               the whole service has weight 0, all weights count as 1.
//   succession  base, then the other members by (tier, score); weight 0 last within a tier.
//   admitted    a member that is up holds the slots with thinning(slot, member) < admission.
//   primary     the first of the succession that is admitted. When none is: base, also if it is down, so that
//   a
//               packet finds both owners down and meets the no_backend rule.
//   backup      the next one of the succession that is admitted; when there is none, the first of the
//               succession that is up and not primary: a draining member is better than none. kNoMember when
//               no other member is up.
//   previous    base where primary is not base, else the next one of the succession, that is the runner-up by
//               score; kNoMember with one member.
class SlotTable {
 public:
  // Builds base and successions: the expensive part (tens to hundreds of ms). standing: one for each member.
  // former: a table of the same service before its members changed, or null. It changes nothing but the time:
  // with the same seed and slots only what its members' scores do not tell is computed. May run on any
  // thread, also while another one calls former->set_standing(): only what that never changes is read.
  static SlotTable build(SlotTableSpec spec, std::span<const Standing> standing,
                         const SlotTable* former = nullptr);

  SlotTable(SlotTable&&) noexcept;
  SlotTable& operator=(SlotTable&&) noexcept;
  ~SlotTable();

  const SlotTableSpec& spec() const;
  std::span<const SlotOwners> owners() const;  // spec().slots of them
  std::span<const MemberIndex> base() const;   // likewise
  std::span<const Standing> standing() const;  // one for each member

  // Who takes the slot's packets: its primary if that is up, else its backup. kNoMember: nobody is up.
  MemberIndex server(std::uint32_t slot) const;

  // Changes one member's standing and returns the slots whose owners or server changed, in rising order of
  // slot. Computes only the slots concerned.
  std::vector<SlotChange> set_standing(MemberIndex member, Standing standing);

  // Slots that have no live backup now, and slots that have no live primary.
  std::uint32_t slots_without_backup() const;
  std::uint32_t slots_without_primary() const;

 private:
  struct State;
  explicit SlotTable(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Hash by which tables of two nodes are compared: over (primary, backup) of every slot by endpoint, not by
// name, index or order. 16 hexadecimal digits when printed. endpoints: one for each index that owners names.
std::uint64_t digest(std::span<const SlotOwners> owners, std::span<const Endpoint> endpoints);

}  // namespace phalanx::core

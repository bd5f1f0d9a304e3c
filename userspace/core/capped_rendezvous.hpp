// SPDX-License-Identifier: Apache-2.0
// The base of a slot table: rendezvous hashing in which no member gets more than its share and a little.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/candidates.hpp"
#include "core/ranking.hpp"

namespace phalanx::core {

// The most slots that a member of this weight holds: ceil(1.02 * slots * weight / total), total being the sum
// of the weights. slots: up to 2^31. weight: 1 .. 65535.
std::uint64_t slot_capacity(std::uint32_t slots, std::uint32_t weight, std::uint64_t total);

// Who holds each slot when all are up. Slots propose to the members of the base's group in the order of their
// ranking; a member keeps those of highest hash (equal ones: of lowest number) up to its capacity and refuses
// the others, which propose onward. The outcome does not depend on the order of proposals (Gale and Shapley
// 1962, theorem 2: it is the best for every slot among the stable ones).
// candidates: one row for each slot, that begins with the base's group.
std::vector<Seat> capped_rendezvous(const Ranking& ranking, std::span<const CandidateRow> candidates);

}  // namespace phalanx::core

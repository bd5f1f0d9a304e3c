// SPDX-License-Identifier: Apache-2.0
// What others do: the two ways of consistent hashing that Phalanx is compared with, written from the papers.
#pragma once

#include <cstdint>
#include <vector>

namespace phalanx::sim {

// A backend's number in its fleet; kNobody: none.
using Number = std::uint32_t;
inline constexpr Number kNobody = 0xffffffff;

struct Candidate {
  Number number = 0;
  std::uint32_t weight = 100;  // 0: takes nothing
};

inline std::uint64_t mix(std::uint64_t value) {  // splitmix64 (Steele, Lea, Flood 2014)
  value += 0x9e3779b97f4a7c15;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

inline constexpr std::uint32_t kMaglevSlots = 65537;

// Eisenbud et al., Maglev, NSDI 2016, section 3.4: backends take turns in filling the first free slot of
// their permutations. With weights, a backend takes its turn in proportion to them.
std::vector<Number> maglev(const std::vector<Candidate>& up, std::uint32_t slots = kMaglevSlots);

// Thaler and Ravishankar 1998, weighted by the logarithmic method: every slot to its highest score.
std::vector<Number> rendezvous(const std::vector<Candidate>& up, std::uint32_t slots);

}  // namespace phalanx::sim

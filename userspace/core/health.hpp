// SPDX-License-Identifier: Apache-2.0
// What probes say of a backend entry. A verdict is pass, fail or inconclusive; rise and fall consecutive ones
// of a kind change the health; the first conclusive probe of an unknown entry decides alone.
#pragma once

#include <cstdint>

namespace phalanx::core {

enum class Verdict : std::uint8_t { pass, fail, inconclusive };

// The numbers are those of enum phx_health.
enum class Health : std::uint8_t { unknown = 0, up = 1, down = 2 };

class HealthState {
 public:
  HealthState() = default;
  explicit HealthState(Health health) : health_(health) {}

  Health health() const { return health_; }

  // rise, fall >= 1. Returns whether health() changed. An inconclusive verdict changes nothing, not even the
  // count: local trouble is never evidence.
  bool observe(Verdict verdict, int rise, int fall);

 private:
  Health health_ = Health::unknown;
  int streak_ = 0;  // consecutive conclusive verdicts against health_
};

}  // namespace phalanx::core

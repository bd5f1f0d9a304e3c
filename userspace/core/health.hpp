// SPDX-License-Identifier: Apache-2.0
// What probes say of a backend entry, and of its host. A verdict is pass, fail or inconclusive; rise and fall
// consecutive ones of a kind change the health; the first conclusive probe of an unknown entry decides alone.
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

  // The last conclusive verdict spoke against it: the next ones may change it.
  bool in_doubt() const { return streak_ > 0; }

  // rise, fall >= 1. Returns whether health() changed. An inconclusive verdict changes nothing, not even the
  // count: local trouble is never evidence.
  bool observe(Verdict verdict, int rise, int fall);

 private:
  Health health_ = Health::unknown;
  int streak_ = 0;  // consecutive conclusive verdicts against health_
};

// Whether a host answers, whatever its service says: a refusal, a reset or a wrong status is an answer,
// silence is none.
class HostState {
 public:
  HostState() = default;
  explicit HostState(bool answers) : answers_(answers) {}

  bool answers() const { return answers_; }

  // heard: something came back from the host. fall >= 1: conclusive probes in a row without an answer, from
  // which on the host counts as gone; a single answer brings it back. Returns whether answers() changed.
  bool observe(Verdict verdict, bool heard, int fall);

 private:
  bool answers_ = true;
  int silent_ = 0;  // conclusive probes in a row
};

}  // namespace phalanx::core

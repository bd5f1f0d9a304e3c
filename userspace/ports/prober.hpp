// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/address.hpp"
#include "core/config.hpp"
#include "core/health.hpp"

namespace phalanx::ports {

// One attempt to reach a backend.
struct ProbeRequest {
  std::uint64_t attempt = 0;  // unique among those in flight; the outcome carries it back
  core::Endpoint target;      // the check's port already applied
  core::Check check;
};

struct ProbeOutcome {
  std::uint64_t attempt = 0;
  core::Verdict verdict = core::Verdict::inconclusive;
  std::string
      reason;  // a sentence fragment for operators: "connection refused", "HTTP 503 is not in 200-299"
  // Something came back from the host itself: a connection, a refusal. Of an inconclusive outcome it says
  // nothing.
  bool heard = true;
};

// Starts probes and reports each exactly once, within its check's time-out, unless it is abandoned.
// Local trouble (no descriptors, no ports, no route on this host) is reported as inconclusive.
// Not thread-safe; outcomes are delivered on the loop's thread, never from inside start().
class Prober {
 public:
  using Sink = std::function<void(ProbeOutcome)>;

  virtual ~Prober() = default;
  virtual void start(const ProbeRequest& request) = 0;
  // Forgets an attempt: its outcome is never delivered. Unknown attempts are ignored.
  virtual void abandon(std::uint64_t attempt) = 0;
};

}  // namespace phalanx::ports

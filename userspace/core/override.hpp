// SPDX-License-Identifier: Apache-2.0
// The operator's word about a backend. It outlives restarts and reloads until the operator takes it back, and
// belongs to the endpoint, not to the name: a backend renamed while disabled stays disabled.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/address.hpp"

namespace phalanx::core {

struct Override {
  bool disabled = false;                // takes no packet, at once
  bool drained = false;                 // takes no new flow; those it has may end
  std::optional<std::uint16_t> weight;  // for the base, instead of the configuration's

  bool says_nothing() const { return *this == Override{}; }
  friend bool operator==(const Override&, const Override&) = default;
};

// By service name and endpoint; an Override that says nothing is not kept.
using Overrides = std::map<std::pair<std::string, Endpoint>, Override>;

}  // namespace phalanx::core

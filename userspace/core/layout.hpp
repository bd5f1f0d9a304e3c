// SPDX-License-Identifier: Apache-2.0
// Which row of which map belongs to whom: entry indices, service indices and regions of slots.
// A Layout is a value: a change of configuration computes its successor, and nothing is in force until the
// successor replaces it. What is given up rests for kRowRest before it is given away again, since a packet in
// flight may still name it (a run of the packet path takes microseconds).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/result.hpp"

namespace phalanx::core {

using SteadyTime = std::chrono::steady_clock::time_point;

inline constexpr std::chrono::milliseconds kRowRest{1000};

// Rows of `backends`. 0xffff names none.
using EntryIndex = std::uint16_t;
inline constexpr EntryIndex kNoEntry = 0xffff;

// Rows of `services`.
using ServiceIndex = std::uint32_t;

// What makes a backend entry: services that agree in all of it share the entry, hence one up bit and one
// probe.
struct EntryIdentity {
  Endpoint endpoint;
  Forward forward = Forward::ipip;
  std::uint16_t tunnel_port = 0;  // of gue; else 0
  std::optional<Check> check;

  friend auto operator<=>(const EntryIdentity&, const EntryIdentity&) = default;
};

EntryIdentity entry_identity(const Service& service, const Backend& backend);

// Rows [offset, offset + slots) of `slots`.
struct Region {
  std::uint32_t offset = 0;
  std::uint32_t slots = 0;

  friend auto operator<=>(const Region&, const Region&) = default;
};

struct ServiceRows {
  ServiceIndex index = 0;
  Region region;

  friend bool operator==(const ServiceRows&, const ServiceRows&) = default;
};

// By service name. A table whose seed changed needs a row of its own too, since the path must never combine
// the one with the other's region.
enum class Fresh : std::uint8_t { region, region_and_row };
using FreshRows = std::map<std::string, Fresh>;

class Layout {
 public:
  explicit Layout(Limits limits) : limits_(limits) {}
  // As read back from pinned state.
  Layout(Limits limits, std::map<EntryIdentity, EntryIndex> entries,
         std::map<std::string, ServiceRows> services, std::map<EntryIdentity, EntryIndex> lingering = {});

  // An entry that no service uses any more lingers: slots and remembered flows may name it until release().
  const std::map<EntryIdentity, EntryIndex>& lingering() const { return lingering_; }
  // Nothing names the lingering entry any longer: its row rests, then it is free.
  void release(EntryIndex lingering, SteadyTime now);

  // The layout for `next`. Entries and services that stay keep their rows; each service named in `fresh`, or
  // not known yet, gets a new region, and a new row of `services` too where `fresh` says so. Fails, naming
  // the key of node.limits, when rows don't suffice. `now` tells which rows still rest.
  Result<Layout> successor(const Config& next, const FreshRows& fresh, SteadyTime now) const;

  const Limits& limits() const { return limits_; }
  const std::map<EntryIdentity, EntryIndex>& entries() const { return entries_; }
  const std::map<std::string, ServiceRows>& services() const { return services_; }

 private:
  template <typename Row>
  struct Resting {
    Row row;
    SteadyTime until;
  };

  Result<void> place_entries(const Config& next, Layout& result) const;
  Result<void> place_services(const Config& next, const FreshRows& fresh, Layout& result,
                              SteadyTime now) const;

  Limits limits_;
  std::map<EntryIdentity, EntryIndex> entries_;
  std::map<EntryIdentity, EntryIndex> lingering_;
  std::map<std::string, ServiceRows> services_;
  std::vector<Resting<EntryIndex>> resting_entries_;
  std::vector<Resting<ServiceIndex>> resting_services_;
  std::vector<Resting<Region>> resting_regions_;
};

}  // namespace phalanx::core

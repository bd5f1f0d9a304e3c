// SPDX-License-Identifier: Apache-2.0
#include "core/layout.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace phalanx::core {

namespace {

// Rows of one map, each free or taken, given out lowest first.
class FreeRows {
 public:
  explicit FreeRows(std::uint32_t rows) : taken_(rows, false) {}

  void take(std::uint32_t row) { taken_[row] = true; }

  std::optional<std::uint32_t> next() {
    while (cursor_ < taken_.size() && taken_[cursor_]) {
      ++cursor_;
    }
    if (cursor_ == taken_.size()) {
      return std::nullopt;
    }
    taken_[cursor_] = true;
    return cursor_;
  }

 private:
  std::vector<bool> taken_;
  std::uint32_t cursor_ = 0;
};

// Regions of `slots`, first fit; each starts at a multiple of its size, where a power of two fits without
// waste.
class FreeRegions {
 public:
  explicit FreeRegions(std::uint32_t slots) : end_(slots) {}

  void take(Region region) { taken_.emplace(region.offset, region.offset + region.slots); }

  std::optional<Region> next(std::uint32_t slots) {
    std::uint64_t start = 0;
    for (const auto& [from, to] : taken_) {
      if (start + slots <= from) {
        break;
      }
      start = std::max<std::uint64_t>(start, (to + std::uint64_t{slots} - 1) / slots * slots);
    }
    if (start + slots > end_) {
      return std::nullopt;
    }
    const Region region{static_cast<std::uint32_t>(start), slots};
    take(region);
    return region;
  }

 private:
  std::uint64_t end_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> taken_;
};

Failure limit_reached(const std::string& what, const char* key, std::uint32_t limit) {
  return fail(
      "find a row for " + what + ": all " + std::to_string(limit) + " of node.limits." + key +
      " are taken (rows given up less than a second ago, and a table being replaced, count); try again, "
      "configure less, or raise the limit and load afresh (phalanx down, then up)");
}

}  // namespace

EntryIdentity entry_identity(const Service& service, const Backend& backend) {
  return {.endpoint = backend.endpoint,
          .forward = service.forward,
          .tunnel_port = service.forward == Forward::gue ? service.gue_port : std::uint16_t{0},
          .check = service.check};
}

Layout::Layout(Limits limits, std::map<EntryIdentity, EntryIndex> entries,
               std::map<std::string, ServiceRows> services, std::map<EntryIdentity, EntryIndex> lingering)
    : limits_(limits),
      entries_(std::move(entries)),
      lingering_(std::move(lingering)),
      services_(std::move(services)) {}

void Layout::release(EntryIndex lingering, SteadyTime now) {
  std::erase_if(lingering_, [lingering](const auto& entry) { return entry.second == lingering; });
  resting_entries_.push_back({lingering, now + kRowRest});
}

Result<void> Layout::place_entries(const Config& next, Layout& result) const {
  // Those that are served and those that linger: one that comes back finds its row.
  std::map<EntryIdentity, EntryIndex> known = entries_;
  known.insert(lingering_.begin(), lingering_.end());
  FreeRows free(limits_.backends);
  for (const auto& [identity, index] : known) {
    free.take(index);
  }
  for (const auto& resting : result.resting_entries_) {
    free.take(resting.row);
  }
  for (const Service& service : next.services) {
    for (const Backend& backend : service.backends) {
      const EntryIdentity identity = entry_identity(service, backend);
      if (result.entries_.contains(identity)) {
        continue;
      }
      const auto row =
          known.contains(identity) ? std::optional<std::uint32_t>(known.at(identity)) : free.next();
      if (!row) {
        return limit_reached("backend " + backend.name + " of service " + service.name, "backends",
                             limits_.backends);
      }
      result.entries_.emplace(identity, static_cast<EntryIndex>(*row));
    }
  }
  for (const auto& [identity, index] : known) {
    if (!result.entries_.contains(identity)) {
      result.lingering_.emplace(identity, index);
    }
  }
  return {};
}

Result<void> Layout::place_services(const Config& next, const FreshRows& fresh, Layout& result,
                                    SteadyTime now) const {
  FreeRows free(limits_.services);
  FreeRegions regions(limits_.slots);
  for (const auto& [name, rows] : services_) {
    free.take(rows.index);
    regions.take(rows.region);
  }
  for (const auto& resting : result.resting_services_) {
    free.take(resting.row);
  }
  for (const auto& resting : result.resting_regions_) {
    regions.take(resting.row);
  }
  for (const Service& service : next.services) {
    const auto known = services_.find(service.name);
    if (known != services_.end() && !fresh.contains(service.name)) {
      result.services_.insert(*known);
      continue;
    }
    const bool keeps_row = known != services_.end() && fresh.at(service.name) != Fresh::region_and_row;
    const auto index = keeps_row ? std::optional<std::uint32_t>(known->second.index) : free.next();
    if (!index) {
      return limit_reached("service " + service.name, "services", limits_.services);
    }
    const auto region = regions.next(service.slots);
    if (!region) {
      return limit_reached("the " + std::to_string(service.slots) + " slots of service " + service.name,
                           "slots", limits_.slots);
    }
    result.services_.emplace(service.name, ServiceRows{*index, *region});
  }
  for (const auto& [name, rows] : services_) {
    const auto kept = result.services_.find(name);
    if (kept == result.services_.end() || kept->second.index != rows.index) {
      result.resting_services_.push_back({rows.index, now + kRowRest});
    }
    if (kept == result.services_.end() || kept->second.region != rows.region) {
      result.resting_regions_.push_back({rows.region, now + kRowRest});
    }
  }
  return {};
}

Result<Layout> Layout::successor(const Config& next, const FreshRows& fresh, SteadyTime now) const {
  Layout result(limits_);
  const auto still_rests = [now](const auto& resting) { return resting.until > now; };
  std::ranges::copy_if(resting_entries_, std::back_inserter(result.resting_entries_), still_rests);
  std::ranges::copy_if(resting_services_, std::back_inserter(result.resting_services_), still_rests);
  std::ranges::copy_if(resting_regions_, std::back_inserter(result.resting_regions_), still_rests);
  if (auto placed = place_entries(next, result); !placed) {
    return Failure(placed.error());
  }
  if (auto placed = place_services(next, fresh, result, now); !placed) {
    return Failure(placed.error());
  }
  return result;
}

}  // namespace phalanx::core

// SPDX-License-Identifier: Apache-2.0
#include "adapters/view/service_table.hpp"

#include <cstdio>

namespace phalanx::adapters {
namespace {

// Entry to place in the service's list of backends.
class Places {
 public:
  explicit Places(const std::vector<core::EntryIndex>& entries) {
    for (std::size_t place = 0; place < entries.size(); ++place) {
      const core::EntryIndex entry = entries[place];
      if (entry == core::kNoEntry) {
        continue;
      }
      if (entry >= places_.size()) {
        places_.resize(entry + std::size_t{1}, core::kNoMember);
      }
      places_[entry] = static_cast<core::MemberIndex>(place);
    }
  }

  core::MemberIndex of(core::EntryIndex entry) const {
    return entry < places_.size() ? places_[entry] : core::kNoMember;
  }

 private:
  std::vector<core::MemberIndex> places_;
};

void count(const core::SlotOwners& owners, ServiceTable& table) {
  if (owners.primary != core::kNoMember) {
    ++table.counts[owners.primary].primary;
  }
  if (owners.backup != core::kNoMember) {
    ++table.counts[owners.backup].backup;
  } else {
    ++table.without_backup;
  }
}

void read_slots(std::uint64_t region, const ports::DataPlaneView& data, ServiceTable& table) {
  const Places places(table.entries);
  const std::uint32_t offset = phx_region_offset(region);
  const std::uint32_t slots = phx_region_mask(region) + 1;
  table.owners.reserve(slots);
  table.tracked.reserve(slots);
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    const phx_slot row = data.slot(offset + slot);
    table.owners.push_back({places.of(row.primary), places.of(row.backup), places.of(row.previous)});
    count(table.owners.back(), table);
    table.tracked.push_back((row.flags & PHX_SLOT_TRACKED) != 0);
    table.slots_tracked += table.tracked.back() ? 1U : 0U;
  }
}

}  // namespace

ServiceTable read_service_table(const core::AppliedState& state, const core::Service& service,
                                const ports::DataPlaneView& data) {
  ServiceTable table;
  table.counts.resize(service.backends.size());
  const auto& known = state.layout.entries();
  for (const core::Backend& backend : service.backends) {
    const auto found = known.find(core::entry_identity(service, backend));
    table.entries.push_back(found != known.end() ? found->second : core::kNoEntry);
  }
  const auto rows = state.layout.services().find(service.name);
  if (rows == state.layout.services().end()) {
    return table;
  }
  table.index = rows->second.index;
  const phx_service row = data.service(table.index);
  table.seed = row.seed;
  if (row.region != 0) {
    read_slots(row.region, data, table);
  }
  return table;
}

std::string digest_text(const ServiceTable& table, const core::Service& service) {
  std::vector<core::Endpoint> endpoints;
  for (const core::Backend& backend : service.backends) {
    endpoints.push_back(backend.endpoint);
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx",
                static_cast<unsigned long long>(core::digest(table.owners, endpoints)));
  return text;
}

}  // namespace phalanx::adapters

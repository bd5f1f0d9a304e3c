// SPDX-License-Identifier: Apache-2.0
// {"document": 2, "generation": 7, "config": {...},
//  "overrides": [{"service", "endpoint", "disabled", "drained", "weight"}],
//  "rows": {"web": {"index": 0, "offset": 0, "slots": 65536, "entries": [0, 1]}},
//  "lingering": [{"forward", "gue_port", "check", "entries": {"10.0.1.11:80": 2}}], "node_drained": true}
//
// overrides: only what the operator said is written.
// entries: those of the service's backends, in the configuration's order. What makes an entry is not written:
// it follows from the configuration, and a thousand services that share entries would repeat it.
// lingering: entries that no service uses any more. They are probed still, so their checks, which the
// configuration may have no longer, are written; once for all that agree in check and forwarding. gue_port:
// of gue only.
// node_drained: only where the operator said so.
#include "adapters/state/state_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "adapters/config/config_file.hpp"

namespace phalanx::adapters {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kDocumentVersion = 2;

Json rows_json(const core::Service& service, const core::Layout& layout) {
  const auto rows = layout.services().find(service.name);
  PHX_CHECK(rows != layout.services().end());
  Json entries = Json::array();
  for (const core::Backend& backend : service.backends) {
    const auto entry = layout.entries().find(core::entry_identity(service, backend));
    PHX_CHECK(entry != layout.entries().end());
    entries.push_back(entry->second);
  }
  return {{"index", rows->second.index},
          {"offset", rows->second.region.offset},
          {"slots", rows->second.region.slots},
          {"entries", std::move(entries)}};
}

Json lingering_json(const core::Layout& layout) {
  std::map<std::tuple<core::Forward, std::uint16_t, std::optional<core::Check>>, Json> groups;
  for (const auto& [identity, index] : layout.lingering()) {
    groups[{identity.forward, identity.tunnel_port, identity.check}][to_string(identity.endpoint)] = index;
  }
  Json list = Json::array();
  for (auto& [alike, entries] : groups) {
    const auto& [forward, gue_port, check] = alike;
    list.push_back({{"forward", to_string(forward)}, {"entries", entries}});
    if (forward == core::Forward::gue) {
      list.back()["gue_port"] = gue_port;
    }
    if (check) {
      list.back()["check"] = to_json(*check);
    }
  }
  return list;
}

Json overrides_json(const core::Overrides& overrides) {
  Json list = Json::array();
  for (const auto& [whose, said] : overrides) {
    Json item = {{"service", whose.first}, {"endpoint", to_string(whose.second)}};
    if (said.disabled) {
      item["disabled"] = true;
    }
    if (said.drained) {
      item["drained"] = true;
    }
    if (said.weight) {
      item["weight"] = *said.weight;
    }
    list.push_back(std::move(item));
  }
  return list;
}

// A natural number below `limit`.
std::optional<std::uint32_t> natural(const Json& object, const char* key, std::uint64_t limit) {
  const auto member = object.find(key);
  if (member == object.end() || !member->is_number_unsigned() || member->get<std::uint64_t>() >= limit) {
    return std::nullopt;
  }
  return member->get<std::uint32_t>();
}

const std::string* text(const Json& object, const char* key) {
  const auto member = object.find(key);
  return member == object.end() ? nullptr : member->get_ptr<const std::string*>();
}

// Gathers the rows of all services and refuses what two of them can't share.
class RowReader {
 public:
  explicit RowReader(const core::Limits& limits) : limits_(limits) {}

  Result<void> add(const core::Service& service, const Json& rows) {
    const auto damaged = [&service](const char* what) {
      return fail(fmt::format("the rows of service \"{}\" are damaged: {}", service.name, what));
    };
    if (!rows.is_object()) {
      return damaged("missing");
    }
    const auto index = natural(rows, "index", limits_.services);
    const auto offset = natural(rows, "offset", limits_.slots);
    const auto slots = natural(rows, "slots", std::uint64_t{limits_.slots} + 1);
    if (!index || !indices_.insert(*index).second) {
      return damaged("index");
    }
    if (!offset || !slots || *slots == 0 || *offset + std::uint64_t{*slots} > limits_.slots) {
      return damaged("region");
    }
    services_[service.name] = {*index, {*offset, *slots}};
    regions_.push_back({*offset, *slots});
    const auto entries = rows.find("entries");
    if (entries == rows.end() || !entries->is_array() || entries->size() != service.backends.size()) {
      return damaged("entries");
    }
    for (std::size_t i = 0; i < service.backends.size(); ++i) {
      if (!add_entry(core::entry_identity(service, service.backends[i]), (*entries)[i])) {
        return damaged("entries");
      }
    }
    return {};
  }

  // To be called when all services were added: a lingering entry is none of theirs.
  Result<void> add_lingering(const Json& group) {
    const std::string* word = group.is_object() ? text(group, "forward") : nullptr;
    const auto forward = word == nullptr ? std::nullopt : core::parse_forward(*word);
    if (!forward || !group.contains("entries") || !group["entries"].is_object()) {
      return fail("an entry that lingers is damaged: forward or entries");
    }
    core::EntryIdentity identity;
    identity.forward = *forward;
    if (identity.forward == core::Forward::gue) {
      const auto port = natural(group, "gue_port", 65536);
      if (!port || *port == 0) {
        return fail("an entry that lingers is damaged: gue_port");
      }
      identity.tunnel_port = static_cast<std::uint16_t>(*port);
    }
    if (group.contains("check")) {
      const Result<core::Check> check = parse_check(group["check"].dump());
      if (!check) {
        return fail("an entry that lingers is damaged: " + check.error().message);
      }
      identity.check = *check;
    }
    for (const auto& [endpoint, index] : group["entries"].items()) {
      const auto parsed = core::parse_endpoint(endpoint);
      if (!parsed || !index.is_number_unsigned() || index.get<std::uint64_t>() >= limits_.backends) {
        return fail(fmt::format("the entry {} that lingers is damaged", adapters::quoted(endpoint)));
      }
      identity.endpoint = *parsed;
      const auto row = index.get<core::EntryIndex>();
      if (entries_.contains(identity) || !entry_indices_.insert(row).second ||
          !lingering_.emplace(identity, row).second) {
        return fail(fmt::format("the entry {} that lingers is there twice", adapters::quoted(endpoint)));
      }
    }
    return {};
  }

  Result<core::Layout> finish() {
    std::sort(regions_.begin(), regions_.end());
    for (std::size_t i = 1; i < regions_.size(); ++i) {
      if (regions_[i - 1].offset + regions_[i - 1].slots > regions_[i].offset) {
        return fail("two services have the same slots");
      }
    }
    return core::Layout(limits_, std::move(entries_), std::move(services_), std::move(lingering_));
  }

 private:
  bool add_entry(core::EntryIdentity identity, const Json& value) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= limits_.backends) {
      return false;
    }
    const auto index = value.get<core::EntryIndex>();
    const auto [known, added] = entries_.emplace(std::move(identity), index);
    return added ? entry_indices_.insert(index).second : known->second == index;
  }

  core::Limits limits_;
  std::map<core::EntryIdentity, core::EntryIndex> entries_;
  std::map<core::EntryIdentity, core::EntryIndex> lingering_;
  std::map<std::string, core::ServiceRows> services_;
  std::set<core::ServiceIndex> indices_;
  std::set<core::EntryIndex> entry_indices_;
  std::vector<core::Region> regions_;
};

Result<core::Layout> read_layout(const core::Config& config, const Json& rows, const Json& lingering) {
  RowReader reader(config.node.limits);
  for (const core::Service& service : config.services) {
    if (const Result<void> added = reader.add(service, rows.value(service.name, Json())); !added) {
      return Failure(added.error());
    }
  }
  for (const Json& group : lingering) {
    if (const Result<void> added = reader.add_lingering(group); !added) {
      return Failure(added.error());
    }
  }
  return reader.finish();
}

std::optional<core::Override> read_override(const Json& item) {
  core::Override said;
  const auto flag = [&item](const char* key, bool& target) {
    const auto member = item.find(key);
    if (member != item.end() && member->is_boolean()) {
      target = member->get<bool>();
    }
    return member == item.end() || member->is_boolean();
  };
  if (!flag("disabled", said.disabled) || !flag("drained", said.drained)) {
    return std::nullopt;
  }
  if (item.contains("weight")) {
    const auto weight = natural(item, "weight", 65536);
    if (!weight) {
      return std::nullopt;
    }
    said.weight = static_cast<std::uint16_t>(*weight);
  }
  return said.says_nothing() ? std::nullopt : std::optional(said);
}

Result<core::Overrides> read_overrides(const Json& list) {
  core::Overrides overrides;
  for (const Json& item : list) {
    const std::string* service = item.is_object() ? text(item, "service") : nullptr;
    const std::string* endpoint = item.is_object() ? text(item, "endpoint") : nullptr;
    const auto parsed = endpoint == nullptr ? std::nullopt : core::parse_endpoint(*endpoint);
    const auto said = item.is_object() ? read_override(item) : std::nullopt;
    if (service == nullptr || !parsed || !said) {
      return fail("an override is damaged");
    }
    overrides[{*service, *parsed}] = *said;
  }
  return overrides;
}

Result<core::Config> read_applied_config(const Json& config) {
  ParsedConfig parsed = parse_config(config.dump());
  if (!parsed.config) {
    for (const Problem& problem : parsed.problems) {
      if (!problem.warning) {
        return fail(fmt::format("its configuration is not valid: {}: {}", problem.pointer, problem.sentence));
      }
    }
    return fail("its configuration is not valid");
  }
  return std::move(*parsed.config);
}

}  // namespace

std::string write_state(const core::AppliedState& state) {
  Json rows = Json::object();
  for (const core::Service& service : state.config.services) {
    rows[service.name] = rows_json(service, state.layout);
  }
  Json document = {{"document", kDocumentVersion},
                   {"generation", state.generation},
                   {"config", to_json(state.config)},
                   {"rows", std::move(rows)},
                   {"overrides", overrides_json(state.overrides)},
                   {"lingering", lingering_json(state.layout)}};
  if (state.node_drained) {
    document["node_drained"] = true;
  }
  return document.dump();
}

Result<core::AppliedState> read_state(std::string_view document) {
  const Json json = Json::parse(document, nullptr, false);
  if (!json.is_object()) {
    return fail("the state document is not a JSON object");
  }
  const auto member = [&json](const char* key) { return json.value(key, Json()); };
  if (member("document") != kDocumentVersion) {
    return fail(fmt::format("the state document is not of version {}", kDocumentVersion));
  }
  const Json generation = member("generation");
  if (!generation.is_number_unsigned() || !member("config").is_object() || !member("rows").is_object() ||
      !member("overrides").is_array() || !member("lingering").is_array()) {
    return fail("the state document lacks its generation, config, rows, overrides or lingering");
  }
  Result<core::Config> config = read_applied_config(member("config"));
  if (!config) {
    return Failure(config.error());
  }
  Result<core::Layout> layout = read_layout(*config, member("rows"), member("lingering"));
  if (!layout) {
    return Failure(layout.error());
  }
  Result<core::Overrides> overrides = read_overrides(member("overrides"));
  if (!overrides) {
    return Failure(overrides.error());
  }
  const Json node_drained = json.value("node_drained", Json(false));
  if (!node_drained.is_boolean()) {
    return fail("the operator's word about the node is damaged");
  }
  core::AppliedState state;
  state.node_drained = node_drained.get<bool>();
  state.config = std::move(*config);
  state.layout = std::move(*layout);
  state.overrides = std::move(*overrides);
  state.generation = generation.get<std::uint64_t>();
  return state;
}

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "adapters/view/views.hpp"

#include <cstring>
#include <nlohmann/json.hpp>

#include "adapters/view/service_table.hpp"
#include "adapters/view/standing.hpp"
#include "adapters/view/timestamp.hpp"

namespace phalanx::adapters {
namespace {

using nlohmann::json;

std::string word(core::Protocol protocol) {
  return protocol == core::Protocol::tcp ? "tcp" : "udp";
}

json protocols(const core::Service& service) {
  if (service.protocols.size() == 1) {
    return word(service.protocols.front());
  }
  json list = json::array();
  for (const core::Protocol protocol : service.protocols) {
    list.push_back(word(protocol));
  }
  return list;
}

// The operator's word explains what the path does; health explains it where there is none.
std::string reason_of(const core::Override& said, const phx_backend_status& status) {
  if (said.disabled) {
    return "disabled by the operator";
  }
  if (said.drained && status.health != PHX_HEALTH_DOWN) {
    return "drained by the operator";
  }
  return std::string(status.reason, strnlen(status.reason, sizeof status.reason));
}

json service_row(const core::AppliedState& state, const core::Service& service,
                 const ports::DataPlaneView& data) {
  const ServiceTable table = read_service_table(state, service, data);
  const ServiceStanding standing = service_standing(state, service, table, data);
  json vips = json::array();
  for (const core::Address& vip : service.vips) {
    vips.push_back(core::to_string(vip));
  }
  const phx_traffic traffic = data.service_traffic(table.index);
  return {{"name", service.name},
          {"vips", vips},
          {"protocol", protocols(service)},
          {"port", service.port},
          {"forward", to_string(service.forward)},
          {"check", service.check_name ? json(*service.check_name) : json()},
          {"slots", table.owners.size()},
          {"digest", digest_text(table, service)},
          {"backends_up", standing.backends_up},
          {"backends", service.backends.size()},
          {"redundancy", core::to_string(standing.redundancy)},
          {"zones_live", standing.zones_live},
          {"slots_without_backup", table.without_backup},
          {"slots_tracked", table.slots_tracked},
          {"packets", traffic.packets},
          {"bytes", traffic.bytes}};
}

json backend_row(const core::AppliedState& state, const core::Service& service, std::size_t place,
                 const ServiceTable& table, const ports::DataPlaneView& data) {
  const core::Backend& backend = service.backends[place];
  const core::EntryIndex entry = table.entries[place];
  const core::Override said = override_of(state, service, backend);
  const std::string words = override_text(said);
  phx_backend_status status{};
  phx_traffic traffic{};
  if (entry != core::kNoEntry) {
    status = data.backend_status(entry);
    traffic = data.backend_traffic(entry);
  }
  return {{"service", service.name},
          {"name", backend.name},
          {"address", core::to_string(backend.endpoint.address)},
          {"port", backend.endpoint.port},
          {"weight", said.weight.value_or(backend.weight)},
          {"configured_weight", backend.weight},
          {"zone", backend.zone},
          {"tier", backend.tier},
          {"state", core::to_string(backend_state(state, service, backend, entry, data))},
          {"since", status.since_ns != 0 ? json(format_time(status.since_ns)) : json()},
          {"reason", reason_of(said, status)},
          {"override", words.empty() ? json() : json(words)},
          {"slots", {{"primary", table.counts[place].primary}, {"backup", table.counts[place].backup}}},
          {"flows", status.flows},
          {"packets", traffic.packets},
          {"bytes", traffic.bytes}};
}

json announcement_json(const core::AppliedState& state, const StatusInputs& inputs) {
  if (!state.config.node.announce) {
    return nullptr;
  }
  if (!inputs.announcement) {
    return {{"state", "unknown"},
            {"wanted", nullptr},
            {"reason", "no daemon runs that would know"},
            {"problem", ""}};
  }
  const AnnouncementStatus& announcement = *inputs.announcement;
  return {{"state", announcement.state},
          {"wanted", announcement.wanted},
          {"reason", announcement.reason},
          {"problem", announcement.problem}};
}

}  // namespace

json status_view(const core::AppliedState& state, const ports::DataPlaneView& data,
                 const StatusInputs& inputs) {
  static constexpr const char* kLabels[] = {
#define PHX_X(name, label, help) #label,
      PHX_COUNTERS(PHX_X)
#undef PHX_X
  };
  json interfaces = json::array();
  for (const InterfaceStatus& interface : inputs.interfaces) {
    interfaces.push_back({{"name", interface.name},
                          {"mode", interface.mode},
                          {"attach", interface.attach},
                          {"reason", interface.reason},
                          {"program", interface.program.empty() ? json() : json(interface.program)}});
  }
  json counters = json::object();
  const std::vector<std::uint64_t> totals = data.counters();
  for (std::size_t i = 0; i < std::size(kLabels); ++i) {
    counters[kLabels[i]] = i < totals.size() ? totals[i] : 0;
  }
  return {{"node", state.config.node.name},
          {"version", inputs.version},
          {"generation", state.generation},
          {"daemon",
           {{"running", inputs.daemon.running},
            {"pid", inputs.daemon.running && inputs.daemon.pid ? json(*inputs.daemon.pid) : json()},
            {"liveness", inputs.daemon.liveness_is_stale ? "stale" : "fresh"}}},
          {"interfaces", interfaces},
          {"drained", state.node_drained},
          {"announcement", announcement_json(state, inputs)},
          {"counters", counters}};
}

json services_view(const core::AppliedState& state, const ports::DataPlaneView& data) {
  json rows = json::array();
  for (const core::Service& service : state.config.services) {
    rows.push_back(service_row(state, service, data));
  }
  return rows;
}

json backends_view(const core::AppliedState& state, const ports::DataPlaneView& data) {
  json rows = json::array();
  for (const core::Service& service : state.config.services) {
    const ServiceTable table = read_service_table(state, service, data);
    for (std::size_t place = 0; place < service.backends.size(); ++place) {
      rows.push_back(backend_row(state, service, place, table, data));
    }
  }
  return rows;
}

std::optional<json> slots_view(const core::AppliedState& state, const ports::DataPlaneView& data,
                               const std::string& service) {
  for (const core::Service& candidate : state.config.services) {
    if (candidate.name != service) {
      continue;
    }
    const ServiceTable table = read_service_table(state, candidate, data);
    const auto name = [&candidate](core::MemberIndex place) {
      return place != core::kNoMember ? json(candidate.backends[place].name) : json();
    };
    json rows = json::array();
    for (std::size_t slot = 0; slot < table.owners.size(); ++slot) {
      const core::SlotOwners& owners = table.owners[slot];
      rows.push_back({{"primary", name(owners.primary)},
                      {"backup", name(owners.backup)},
                      {"previous", name(owners.previous)},
                      {"tracked", static_cast<bool>(table.tracked[slot])}});
    }
    return json{{"service", candidate.name},
                {"slots", table.owners.size()},
                {"seed", table.seed},
                {"digest", digest_text(table, candidate)},
                {"table", std::move(rows)}};
  }
  return std::nullopt;
}

std::string write_json(const json& view) {
  return view.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "adapters/view/views.hpp"

#include <cstring>
#include <nlohmann/json.hpp>

#include "adapters/view/service_table.hpp"
#include "adapters/view/timestamp.hpp"

namespace phalanx::adapters {
namespace {

using nlohmann::json;

std::string word(core::Protocol protocol) {
  return protocol == core::Protocol::tcp ? "tcp" : "udp";
}

std::string word(core::Forward forward) {
  return forward == core::Forward::ipip ? "ipip" : "l2";
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

bool is_disabled(const core::AppliedState& state, const core::Service& service,
                 const core::Backend& backend) {
  const auto found = state.overrides.find({service.name, backend.endpoint});
  return found != state.overrides.end() && found->second.disabled;
}

std::string reason_of(const phx_backend_status& status) {
  return std::string(status.reason, strnlen(status.reason, sizeof status.reason));
}

json service_row(const core::AppliedState& state, const core::Service& service,
                 const ports::DataPlaneView& data) {
  const ServiceTable table = read_service_table(state, service, data);
  int up = 0;
  for (std::size_t place = 0; place < service.backends.size(); ++place) {
    const std::string standing =
        backend_state(state, service, service.backends[place], table.entries[place], data);
    up += standing == "up" || standing == "unknown" ? 1 : 0;
  }
  json vips = json::array();
  for (const core::Address& vip : service.vips) {
    vips.push_back(core::to_string(vip));
  }
  const phx_traffic traffic = data.service_traffic(table.index);
  return {{"name", service.name},
          {"vips", vips},
          {"protocol", protocols(service)},
          {"port", service.port},
          {"forward", word(service.forward)},
          {"check", service.check_name ? json(*service.check_name) : json()},
          {"slots", table.owners.size()},
          {"digest", digest_text(table, service)},
          {"backends_up", up},
          {"backends", service.backends.size()},
          {"slots_without_backup", table.without_backup},
          {"packets", traffic.packets},
          {"bytes", traffic.bytes}};
}

json backend_row(const core::AppliedState& state, const core::Service& service, std::size_t place,
                 const ServiceTable& table, const ports::DataPlaneView& data) {
  const core::Backend& backend = service.backends[place];
  const core::EntryIndex entry = table.entries[place];
  const bool disabled = is_disabled(state, service, backend);
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
          {"weight", backend.weight},
          {"zone", backend.zone},
          {"tier", backend.tier},
          {"state", backend_state(state, service, backend, entry, data)},
          {"since", status.since_ns != 0 ? json(format_time(status.since_ns)) : json()},
          {"reason", disabled ? "disabled by the operator" : reason_of(status)},
          {"override", disabled ? json("disabled") : json()},
          {"slots", {{"primary", table.counts[place].primary}, {"backup", table.counts[place].backup}}},
          {"packets", traffic.packets},
          {"bytes", traffic.bytes}};
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
                          {"reason", interface.reason}});
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
            {"pid", inputs.daemon.running && inputs.daemon.pid ? json(*inputs.daemon.pid) : json()}}},
          {"interfaces", interfaces},
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
    for (const core::SlotOwners& owners : table.owners) {
      rows.push_back({{"primary", name(owners.primary)},
                      {"backup", name(owners.backup)},
                      {"previous", name(owners.previous)},
                      {"tracked", false}});
    }
    return json{{"service", candidate.name},
                {"slots", table.owners.size()},
                {"seed", table.seed},
                {"digest", digest_text(table, candidate)},
                {"table", std::move(rows)}};
  }
  return std::nullopt;
}

std::string backend_state(const core::AppliedState& state, const core::Service& service,
                          const core::Backend& backend, core::EntryIndex entry,
                          const ports::DataPlaneView& data) {
  if (is_disabled(state, service, backend)) {
    return "disabled";
  }
  // The bit is what the packet path goes by: without it (no next hop, say) good health does not help.
  if (entry == core::kNoEntry || (data.backend(entry).state & PHX_STATE_UP) == 0) {
    return "down";
  }
  switch (data.backend_status(entry).health) {
    case PHX_HEALTH_UNKNOWN:
      return service.check ? "unknown" : "up";
    case PHX_HEALTH_DOWN:
      return "down";
    default:
      return "up";
  }
}

std::string write_json(const json& view) {
  return view.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace phalanx::adapters

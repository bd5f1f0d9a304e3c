// SPDX-License-Identifier: Apache-2.0
#include "adapters/view/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <sstream>
#include <utility>
#include <vector>

#include "adapters/view/service_table.hpp"
#include "adapters/view/standing.hpp"

namespace phalanx::adapters {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

MetricFamily family(std::string name, std::string help, MetricType type) {
  return {std::move(name), std::move(help), type, {}};
}

template <typename Value>
void add(MetricFamily& to, Value value, Labels labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  (to.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = static_cast<double>(value);
  to.metric.push_back(std::move(metric));
}

void append_counters(const ports::DataPlaneView& data, std::vector<MetricFamily>& families) {
  static constexpr std::pair<const char*, const char*> kCounters[] = {
#define PHX_X(name, label, help) {"phalanx_" #label "_total", help},
      PHX_COUNTERS(PHX_X)
#undef PHX_X
  };
  const std::vector<std::uint64_t> totals = data.counters();
  for (std::size_t i = 0; i < std::size(kCounters) && i < totals.size(); ++i) {
    families.push_back(family(kCounters[i].first, kCounters[i].second, MetricType::Counter));
    add(families.back(), totals[i]);
  }
}

struct ServiceFamilies {
  MetricFamily packets =
      family("phalanx_service_packets_total", "packets sent to a service's backends", MetricType::Counter);
  MetricFamily bytes =
      family("phalanx_service_bytes_total", "bytes of clients' IP packets sent to a service's backends",
             MetricType::Counter);
  MetricFamily backends =
      family("phalanx_service_backends", "backends configured for a service", MetricType::Gauge);
  MetricFamily backends_up =
      family("phalanx_service_backends_up", "backends of a service that take new flows", MetricType::Gauge);
  MetricFamily backends_live =
      family("phalanx_service_backends_live", "backends of a service that are neither down nor disabled",
             MetricType::Gauge);
  MetricFamily zones_live =
      family("phalanx_service_zones_live", "zones in which a service has a live backend", MetricType::Gauge);
  MetricFamily redundancy = family(
      "phalanx_service_redundancy",
      "what a service has left: 3 full, 2 one of its zones, 1 one live backend, 0 none", MetricType::Gauge);
  MetricFamily slots = family("phalanx_service_slots", "rows of a service's slot table", MetricType::Gauge);
  MetricFamily without_backup = family("phalanx_service_slots_without_backup",
                                       "slots of a service that have no backup armed", MetricType::Gauge);
  MetricFamily tracked =
      family("phalanx_service_slots_tracked",
             "slots of a service whose flows are remembered one by one, since a change is recent",
             MetricType::Gauge);

  void append_to(std::vector<MetricFamily>& families) {
    for (MetricFamily* each : {&packets, &bytes, &backends, &backends_up, &backends_live, &zones_live,
                               &redundancy, &slots, &without_backup, &tracked}) {
      families.push_back(std::move(*each));
    }
  }
};

struct BackendFamilies {
  MetricFamily packets =
      family("phalanx_backend_packets_total",
             "packets sent to a backend; services that share its entry share the count", MetricType::Counter);
  MetricFamily bytes =
      family("phalanx_backend_bytes_total",
             "bytes of clients' IP packets sent to a backend; services that share its entry share the count",
             MetricType::Counter);
  MetricFamily up = family("phalanx_backend_up", "whether a backend takes new flows", MetricType::Gauge);
  MetricFamily state = family("phalanx_backend_state",
                              "1 for the state that a backend is in, 0 for the others", MetricType::Gauge);
  MetricFamily slots =
      family("phalanx_backend_slots", "slots of which a backend is primary or backup", MetricType::Gauge);
  MetricFamily flows = family("phalanx_backend_flows",
                              "remembered flows that a backend serves, as of the last sweep; services that "
                              "share its entry share the count",
                              MetricType::Gauge);

  void append_to(std::vector<MetricFamily>& families) {
    for (MetricFamily* each : {&packets, &bytes, &up, &state, &slots, &flows}) {
      families.push_back(std::move(*each));
    }
  }
};

Labels with(Labels labels, std::string name, std::string value) {
  labels.push_back({std::move(name), std::move(value)});
  return labels;
}

int redundancy_level(core::Redundancy redundancy) {
  switch (redundancy) {
    case core::Redundancy::full:
      return 3;
    case core::Redundancy::last_zone:
      return 2;
    case core::Redundancy::last_backend:
      return 1;
    case core::Redundancy::none:
      return 0;
  }
  return 0;
}

void add_backend(core::BackendState state, const Labels& labels, const SlotCount& slots,
                 const phx_traffic& traffic, BackendFamilies& into) {
  add(into.packets, traffic.packets, labels);
  add(into.bytes, traffic.bytes, labels);
  add(into.up, takes_traffic(state) ? 1 : 0, labels);
  using core::BackendState;
  for (const BackendState candidate : {BackendState::up, BackendState::down, BackendState::draining,
                                       BackendState::disabled, BackendState::unknown}) {
    add(into.state, candidate == state ? 1 : 0, with(labels, "state", core::to_string(candidate)));
  }
  add(into.slots, slots.primary, with(labels, "role", "primary"));
  add(into.slots, slots.backup, with(labels, "role", "backup"));
}

void add_service(const core::AppliedState& state, const core::Service& service,
                 const ports::DataPlaneView& data, ServiceFamilies& services, BackendFamilies& backends) {
  const ServiceTable table = read_service_table(state, service, data);
  const ServiceStanding standing = service_standing(state, service, table, data);
  for (std::size_t place = 0; place < service.backends.size(); ++place) {
    const core::Backend& backend = service.backends[place];
    const core::EntryIndex entry = table.entries[place];
    const Labels labels = {{"service", service.name},
                           {"backend", backend.name},
                           {"address", core::to_string(backend.endpoint)},
                           {"zone", backend.zone}};
    add_backend(backend_state(state, service, backend, entry, data), labels, table.counts[place],
                entry != core::kNoEntry ? data.backend_traffic(entry) : phx_traffic{}, backends);
    add(backends.flows, entry != core::kNoEntry ? data.backend_status(entry).flows : 0, labels);
  }
  const Labels labels = {{"service", service.name}};
  const phx_traffic traffic = data.service_traffic(table.index);
  add(services.packets, traffic.packets, labels);
  add(services.bytes, traffic.bytes, labels);
  add(services.backends, service.backends.size(), labels);
  add(services.backends_up, standing.backends_up, labels);
  add(services.backends_live, standing.backends_live, labels);
  add(services.zones_live, standing.zones_live, labels);
  add(services.redundancy, redundancy_level(standing.redundancy), labels);
  add(services.slots, table.owners.size(), labels);
  add(services.without_backup, table.without_backup, labels);
  add(services.tracked, table.slots_tracked, labels);
}

void append_flows(const FlowFigures& flows, std::vector<MetricFamily>& families) {
  const auto append = [&families](const char* name, const char* help, MetricType type, std::uint64_t value) {
    families.push_back(family(name, help, type));
    add(families.back(), value);
  };
  append("phalanx_flows", "flows remembered one by one, as of the last sweep of the flow table",
         MetricType::Gauge, flows.occupancy);
  append("phalanx_flows_limit", "flows that the flow table has room for", MetricType::Gauge, flows.limit);
  append("phalanx_flow_expirations_total", "remembered flows given up because they were idle or closed",
         MetricType::Counter, flows.expired);
  append("phalanx_flow_evictions_total", "remembered flows pushed out by newer ones, the table being full",
         MetricType::Counter, flows.evicted);
  append("phalanx_flow_table_bytes", "memory that the kernel holds for the flow table", MetricType::Gauge,
         flows.memory_bytes);
}

void append_announcement(const StatusInputs& inputs, std::vector<MetricFamily>& families) {
  if (!inputs.announcement) {
    return;
  }
  families.push_back(family("phalanx_announced",
                            "whether the routing daemon offers the routes to the VIPs, by preference",
                            MetricType::Gauge));
  for (const char* preference : {"preferred", "worse"}) {
    add(families.back(), inputs.announcement->state == preference ? 1 : 0, {{"preference", preference}});
  }
  families.push_back(family("phalanx_announcement_known",
                            "whether the routing daemon confirmed what is wanted", MetricType::Gauge));
  add(families.back(), inputs.announcement->state != "unknown" ? 1 : 0);
}

void append_daemon(const core::AppliedState& state, const StatusInputs& inputs, const DaemonFigures& figures,
                   std::vector<MetricFamily>& families) {
  families.push_back(family("phalanx_build_info", "version of the running daemon", MetricType::Gauge));
  add(families.back(), 1, {{"version", inputs.version}, {"node", state.config.node.name}});
  families.push_back(
      family("phalanx_start_time_seconds", "when the daemon started, since the epoch", MetricType::Gauge));
  add(families.back(), figures.start_time_s);
  families.push_back(
      family("phalanx_daemon_liveness_stale",
             "whether the packet path takes the daemon for dead, and asks the kernel's FIB for next hops",
             MetricType::Gauge));
  add(families.back(), inputs.daemon.liveness_is_stale ? 1 : 0);
  families.push_back(family("phalanx_generation", "applied changes of configuration", MetricType::Gauge));
  add(families.back(), state.generation);
  families.push_back(family("phalanx_interface_attached",
                            "whether the packet path is attached to an interface", MetricType::Gauge));
  for (const InterfaceStatus& interface : inputs.interfaces) {
    add(families.back(), interface.mode != "none" ? 1 : 0,
        {{"interface", interface.name}, {"mode", interface.mode}});
  }
  families.push_back(family("phalanx_probes_total", "probes that ended, by verdict", MetricType::Counter));
  add(families.back(), figures.probes_passed, {{"verdict", "pass"}});
  add(families.back(), figures.probes_failed, {{"verdict", "fail"}});
  add(families.back(), figures.probes_inconclusive, {{"verdict", "inconclusive"}});
  families.push_back(
      family("phalanx_health_changes_total", "changes of a backend entry's health", MetricType::Counter));
  add(families.back(), figures.health_changes);
  families.push_back(family("phalanx_reloads_total", "reloads asked for, by outcome", MetricType::Counter));
  add(families.back(), figures.reloads_applied, {{"outcome", "applied"}});
  add(families.back(), figures.reloads_refused, {{"outcome", "refused"}});
}

}  // namespace

std::string metrics_text(const core::AppliedState& state, const ports::DataPlaneView& data,
                         const StatusInputs& inputs, const DaemonFigures& figures) {
  std::vector<MetricFamily> families;
  append_daemon(state, inputs, figures, families);
  append_announcement(inputs, families);
  append_flows(figures.flows, families);
  append_counters(data, families);
  ServiceFamilies services;
  BackendFamilies backends;
  for (const core::Service& service : state.config.services) {
    add_service(state, service, data, services, backends);
  }
  services.append_to(families);
  backends.append_to(families);
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

}  // namespace phalanx::adapters

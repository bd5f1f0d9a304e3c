// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "adapters/config/config_file.hpp"
#include "adapters/config/fields.hpp"

namespace phalanx::adapters {

namespace {

using Json = nlohmann::json;

std::string_view word(core::XdpMode mode) {
  switch (mode) {
    case core::XdpMode::automatic:
      return "auto";
    case core::XdpMode::native:
      return "native";
    case core::XdpMode::generic:
      return "generic";
  }
  return "auto";
}

std::string_view word(core::NoBackend rule) {
  switch (rule) {
    case core::NoBackend::drop:
      return "drop";
    case core::NoBackend::reject:
      return "reject";
    case core::NoBackend::last_good:
      return "last-good";
  }
  return "drop";
}

std::string_view word(core::Track track) {
  switch (track) {
    case core::Track::automatic:
      return "auto";
    case core::Track::all:
      return "all";
    case core::Track::none:
      return "none";
  }
  return "auto";
}

Json announce_json(const core::AnnounceSettings& announce) {
  Json json = {{"bird", announce.bird},
               {"protocols", announce.protocols},
               {"grace", plain(announce.grace)},
               {"withdraw_wait", plain(announce.withdraw_wait)}};
  if (!announce.fallback.empty()) {
    json["fallback"] = announce.fallback;
  }
  return json;
}

Json node_json(const core::Node& node) {
  Json json = {{"name", node.name},
               {"interfaces", node.interfaces},
               {"xdp_mode", word(node.xdp_mode)},
               {"agent", node.agent},
               {"on_exit", node.on_exit == core::OnExit::keep ? "keep" : "detach"},
               {"limits",
                {{"services", node.limits.services},
                 {"backends", node.limits.backends},
                 {"slots", node.limits.slots},
                 {"flows", node.limits.flows},
                 {"fragments", node.limits.fragments}}}};
  for (const auto& source : {node.tunnel_source_v4, node.tunnel_source_v6}) {
    if (source) {
      json["tunnel_source"].push_back(host_or_prefix(*source));
    }
  }
  if (node.http) {
    json["http"] = to_string(*node.http);
  }
  if (node.agent_port != 0) {
    json["agent_port"] = node.agent_port;
  }
  if (node.announce) {
    json["announce"] = announce_json(*node.announce);
  }
  return json;
}

Json backend_json(const core::Backend& backend) {
  return {{"name", backend.name},          {"address", to_string(backend.endpoint.address)},
          {"port", backend.endpoint.port}, {"weight", backend.weight},
          {"zone", backend.zone},          {"tier", backend.tier}};
}

Json service_json(const core::Service& service) {
  Json json = {{"name", service.name},
               {"port", service.port},
               {"forward", to_string(service.forward)},
               {"slots", service.slots},
               {"seed", service.seed},
               {"no_backend", word(service.no_backend)},
               {"unmatched", to_string(service.unmatched)},
               {"track", word(service.track)},
               {"on_down", service.on_down == core::OnDown::move ? "move" : "keep"},
               {"transition", plain(service.transition)},
               {"settle", plain(service.settle)},
               {"slow_start", plain(service.slow_start)}};
  if (service.forward == core::Forward::gue) {
    json["gue_port"] = service.gue_port;
  }
  for (const core::Address& vip : service.vips) {
    json["vips"].push_back(to_string(vip));
  }
  for (const core::Protocol protocol : service.protocols) {
    json["protocol"].push_back(protocol == core::Protocol::tcp ? "tcp" : "udp");
  }
  if (service.check_name) {
    json["check"] = *service.check_name;
  }
  for (const core::Backend& backend : service.backends) {
    json["backends"].push_back(backend_json(backend));
  }
  return json;
}

}  // namespace

Json to_json(const core::Check& check) {
  Json json = {{"type", check.type == core::CheckType::tcp ? "tcp" : "http"},
               {"interval", plain(check.interval)},
               {"timeout", plain(check.timeout)},
               {"fall", check.fall},
               {"rise", check.rise}};
  if (check.port) {
    json["port"] = *check.port;
  }
  if (check.type != core::CheckType::http) {
    return json;
  }
  json["path"] = check.path;
  if (!check.host.empty()) {
    json["host"] = check.host;
  }
  for (const core::StatusRange& range : check.expect_status) {
    json["expect_status"].push_back(std::to_string(range.first) + "-" + std::to_string(range.last));
  }
  return json;
}

Json to_json(const core::Config& config) {
  Json json = {{"node", node_json(config.node)}, {"checks", Json::object()}, {"services", Json::array()}};
  for (const core::Service& service : config.services) {
    if (service.check_name && service.check) {
      json["checks"][*service.check_name] = to_json(*service.check);
    }
    json["services"].push_back(service_json(service));
  }
  return json;
}

}  // namespace phalanx::adapters

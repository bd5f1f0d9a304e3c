// SPDX-License-Identifier: Apache-2.0
#include "adapters/config/decode.hpp"

#include <phalanx.h>

#include <algorithm>
#include <map>
#include <set>

#include "adapters/config/decode_announce.hpp"
#include "adapters/config/decode_check.hpp"

namespace phalanx::adapters {

namespace {

// Checks by name, and which of them a service uses.
struct Checks {
  std::map<std::string, core::Check> by_name;
  std::set<std::string> used;
};

void decode_tunnel_source(const Field& field, core::Node& node, Problems& problems) {
  const auto source = read_host_prefix(field, problems, "a tunnel source", core::kMaxSourceBits);
  if (!source) {
    return;
  }
  const bool ipv4 = source->address.family == core::Family::ipv4;
  auto& target = ipv4 ? node.tunnel_source_v4 : node.tunnel_source_v6;
  if (target) {
    error_at(field, problems,
             std::string("there is an ") + (ipv4 ? "IPv4" : "IPv6") + " tunnel source already, " +
                 host_or_prefix(*target) + "; write at most one a family");
  }
  target = source;
}

void decode_limits(const MaybeField& field, core::Limits& limits, Problems& problems) {
  if (!field) {
    return;
  }
  ObjectReader reader(*field, problems);
  set(limits.services, read_natural(reader.optional("services"), problems, 1, PHX_MAX_SERVICES));
  set(limits.backends, read_natural(reader.optional("backends"), problems, 1, PHX_MAX_ENTRIES));
  set(limits.slots, read_natural(reader.optional("slots"), problems, PHX_MIN_SLOTS, 1u << 28));
  set(limits.flows, read_natural(reader.optional("flows"), problems, 1, 1u << 24));
  set(limits.fragments, read_natural(reader.optional("fragments"), problems, 1, 1u << 24));
  reader.finish();
}

void decode_interfaces(const MaybeField& field, core::Node& node, Problems& problems) {
  for (const Field& element : read_list(field, problems)) {
    const auto name = read_interface(element, problems);
    if (!name) {
      continue;
    }
    if (std::find(node.interfaces.begin(), node.interfaces.end(), *name) != node.interfaces.end()) {
      error_at(element, problems, "the interface " + *name + " is listed twice");
    }
    if (node.interfaces.size() == PHX_MAX_INTERFACES) {
      error_at(element, problems,
               "a node has at most " + std::to_string(PHX_MAX_INTERFACES) + " interfaces; " + *name +
                   " is one more");
    }
    node.interfaces.push_back(*name);
  }
}

void decode_http(const MaybeField& field, core::Node& node, Problems& problems) {
  const auto text = read_text(field, problems);
  if (!text) {
    return;
  }
  const auto endpoint = core::parse_endpoint(*text);
  if (!endpoint || endpoint->port == 0) {
    error_at(*field, problems,
             quoted(*text) + " is no address and port, such as \"127.0.0.1:9640\" or \"[::1]:9640\"");
    return;
  }
  node.http = endpoint;
}

void decode_node(const MaybeField& field, core::Node& node, Problems& problems) {
  if (!field) {
    return;
  }
  ObjectReader reader(*field, problems);
  set(node.name, read_name(reader.required("name"), problems));
  decode_interfaces(reader.required("interfaces"), node, problems);
  set(node.xdp_mode, read_xdp_mode(reader.optional("xdp_mode"), problems));
  choose(reader.optional("attach"), problems, {"link"}, {"dispatcher"});
  for (const Field& element : read_list(reader.optional("tunnel_source"), problems)) {
    decode_tunnel_source(element, node, problems);
  }
  decode_http(reader.optional("http"), node, problems);
  const Choices<core::OnExit> on_exit{{{"keep", core::OnExit::keep}, {"detach", core::OnExit::detach}}, {}};
  set(node.on_exit, read_choice(reader.optional("on_exit"), problems, on_exit));
  decode_limits(reader.optional("limits"), node.limits, problems);
  set(node.agent, read_boolean(reader.optional("agent"), problems));
  set(node.agent_port, read_natural(reader.optional("agent_port"), problems, 1, 65535));
  if (const auto announce = reader.optional("announce")) {
    node.announce = decode_announce(*announce, problems);
  }
  reader.finish();
}

Checks decode_checks(const MaybeField& field, Problems& problems) {
  Checks checks;
  if (!field) {
    return checks;
  }
  ObjectReader reader(*field, problems);
  for (const std::string& name : field->node->keys) {
    const auto member = reader.optional(name);
    if (!is_name(name)) {
      error_at(*member, problems, quoted(name) + " is not a name; " + std::string(kNameRule));
    }
    checks.by_name[name] = decode_check(*member, problems);
  }
  return checks;
}

void decode_protocols(const MaybeField& field, core::Service& service, Problems& problems) {
  const Choices<core::Protocol> protocols{{{"tcp", core::Protocol::tcp}, {"udp", core::Protocol::udp}}, {}};
  if (!field) {
    return;
  }
  const bool list = field->node->kind == DocumentNode::Kind::array;
  for (const Field& element : list ? read_list(field, problems) : std::vector<Field>{*field}) {
    const auto protocol = read_choice(MaybeField(element), problems, protocols);
    if (!protocol) {
      continue;
    }
    if (std::find(service.protocols.begin(), service.protocols.end(), *protocol) != service.protocols.end()) {
      error_at(element, problems, "this protocol is listed twice");
    } else {
      service.protocols.push_back(*protocol);
    }
  }
  std::sort(service.protocols.begin(), service.protocols.end());
}

void decode_check_name(const MaybeField& field, core::Service& service, Checks& checks, Problems& problems) {
  const auto name = read_text(field, problems);
  if (!name) {
    return;
  }
  if (const auto found = checks.by_name.find(*name); found != checks.by_name.end()) {
    service.check_name = *name;
    service.check = found->second;
    checks.used.insert(*name);
    return;
  }
  std::vector<std::string> known;
  for (const auto& [known_name, check] : checks.by_name) {
    known.push_back(known_name);
  }
  error_at(*field, problems,
           "there is no check " + quoted(*name) + " under \"checks\"" +
               (known.empty() ? "" : "; the nearest known one is " + quoted(nearest(*name, known))));
}

void decode_slots(const MaybeField& field, core::Service& service, Problems& problems) {
  const auto slots = read_natural(field, problems, PHX_MIN_SLOTS, PHX_MAX_SLOTS);
  if (slots && (*slots & (*slots - 1)) != 0) {
    error_at(*field, problems,
             std::to_string(*slots) + " is not a power of two; write 4096, 8192, ... or 1048576");
    return;
  }
  set(service.slots, slots);
}

core::Backend decode_backend(const Field& field, std::uint16_t service_port, Problems& problems) {
  core::Backend backend;
  backend.endpoint.port = service_port;
  ObjectReader reader(field, problems);
  set(backend.name, read_name(reader.required("name"), problems));
  set(backend.endpoint.address, read_host_address(reader.required("address"), problems, "a backend"));
  set(backend.endpoint.port, read_port(reader.optional("port"), problems));
  set(backend.weight, read_natural(reader.optional("weight"), problems, 0, 65535));
  const auto zone = reader.optional("zone");
  set(backend.zone, read_text(zone, problems));
  const auto control = [](char letter) { return (letter >= 0 && letter < ' ') || letter == 0x7f; };
  if (backend.zone.size() > 255 || std::any_of(backend.zone.begin(), backend.zone.end(), control)) {
    error_at(*zone, problems, "a zone has at most 255 bytes and no control characters");
  }
  set(backend.tier, read_natural(reader.optional("tier"), problems, 0, 255));
  reader.finish();
  return backend;
}

// What happens to flows when backends come, go and fail.
void decode_flow_rules(ObjectReader& reader, core::Service& service, Problems& problems) {
  using std::chrono::hours;
  using std::chrono::minutes;
  using std::chrono::seconds;
  const Choices<core::NoBackend> no_backend{{{"drop", core::NoBackend::drop},
                                             {"reject", core::NoBackend::reject},
                                             {"last-good", core::NoBackend::last_good}},
                                            {}};
  const Choices<core::Track> track{
      {{"auto", core::Track::automatic}, {"all", core::Track::all}, {"none", core::Track::none}}, {}};
  const Choices<core::OnDown> on_down{{{"move", core::OnDown::move}, {"keep", core::OnDown::keep}}, {}};
  set(service.no_backend, read_choice(reader.optional("no_backend"), problems, no_backend));
  set(service.track, read_choice(reader.optional("track"), problems, track));
  set(service.on_down, read_choice(reader.optional("on_down"), problems, on_down));
  set(service.transition, read_duration(reader.optional("transition"), problems, seconds(1), hours(24)));
  set(service.settle, read_duration(reader.optional("settle"), problems, seconds(0), minutes(10)));
  set(service.slow_start, read_duration(reader.optional("slow_start"), problems, seconds(0), hours(1)));
  const Choices<core::Unmatched> unmatched{
      {{"pass", core::Unmatched::pass}, {"drop", core::Unmatched::drop}, {"reject", core::Unmatched::reject}},
      {}};
  set(service.unmatched, read_choice(reader.optional("unmatched"), problems, unmatched));
}

void decode_forward(ObjectReader& reader, core::Service& service, Problems& problems) {
  const Choices<core::Forward> forwards{{{"ipip", core::Forward::ipip},
                                         {"l2", core::Forward::l2},
                                         {"gue", core::Forward::gue},
                                         {"nat", core::Forward::nat}},
                                        {"fullnat"}};
  const auto forward = reader.optional("forward");
  const auto mode = read_choice(forward, problems, forwards);
  set(service.forward, mode);
  const auto gue_port = reader.optional("gue_port");
  // A mode that could not be read may have meant to be gue.
  if (gue_port && service.forward != core::Forward::gue && (mode || !forward)) {
    error_at(*gue_port, problems,
             "this belongs to services of \"forward\": \"gue\" only; this one's is " +
                 quoted(to_string(service.forward)));
    return;
  }
  set(service.gue_port, read_natural(gue_port, problems, 1, 65535));
}

core::Service decode_service(const Field& field, Checks& checks, Problems& problems) {
  core::Service service;
  ObjectReader reader(field, problems);
  set(service.name, read_name(reader.required("name"), problems));
  for (const Field& element : read_list(reader.required("vips"), problems)) {
    service.vips.push_back(read_host_address(element, problems, "a VIP").value_or(core::Address{}));
  }
  decode_protocols(reader.required("protocol"), service, problems);
  set(service.port, read_port(reader.required("port"), problems));
  decode_forward(reader, service, problems);
  decode_check_name(reader.optional("check"), service, checks, problems);
  decode_slots(reader.optional("slots"), service, problems);
  service.seed = default_seed(service.name);
  set(service.seed, read_natural(reader.optional("seed"), problems, 0, UINT64_MAX));
  decode_flow_rules(reader, service, problems);
  for (const Field& element : read_list(reader.required("backends"), problems)) {
    service.backends.push_back(decode_backend(element, service.port, problems));
  }
  reader.finish();
  return service;
}

// Silent where a service could not be read whole: it may have meant to use the check.
void warn_of_unused(const MaybeField& field, const Checks& checks, Problems& problems) {
  if (problems.any_errors_under("/services")) {
    return;
  }
  for (const auto& [name, check] : checks.by_name) {
    if (!checks.used.contains(name)) {
      const DocumentNode* node = field->node->find(name);
      problems.warning(node->line, pointer_to(field->pointer, name), "no service uses this check");
    }
  }
}

}  // namespace

core::Config decode_config(const DocumentNode& root, Problems& problems) {
  core::Config config;
  ObjectReader reader({&root, ""}, problems);
  decode_node(reader.required("node"), config.node, problems);
  const auto checks_field = reader.optional("checks");
  Checks checks = decode_checks(checks_field, problems);
  for (const Field& element : read_list(reader.required("services"), problems, Emptiness::allowed)) {
    config.services.push_back(decode_service(element, checks, problems));
  }
  warn_of_unused(checks_field, checks, problems);
  reader.finish();
  return config;
}

std::optional<core::XdpMode> read_xdp_mode(const MaybeField& field, Problems& problems) {
  const Choices<core::XdpMode> modes{{{"auto", core::XdpMode::automatic},
                                      {"native", core::XdpMode::native},
                                      {"generic", core::XdpMode::generic}},
                                     {}};
  return read_choice(field, problems, modes);
}

std::uint64_t default_seed(std::string_view service_name) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char letter : service_name) {
    hash = (hash ^ static_cast<std::uint8_t>(letter)) * 0x100000001b3ull;
  }
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ull;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebull;
  return hash ^ (hash >> 31);
}

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "adapters/config/rules.hpp"

#include <phalanx.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "adapters/config/forward_rules.hpp"
#include "adapters/config/rule_report.hpp"
#include "core/layout.hpp"

namespace phalanx::adapters {

namespace {

constexpr std::uint32_t kFewSlotsPerBackend = 400;    // below: the spread grows uneven
constexpr std::uint32_t kTooFewSlotsPerBackend = 40;  // below: refused

std::string_view name_of(core::Protocol protocol) {
  return protocol == core::Protocol::tcp ? "tcp" : "udp";
}

class Rules {
 public:
  Rules(const core::Config& config, RuleReport& report) : config_(config), report_(report) {}

  void check() {
    check_service_names();
    check_listeners();
    check_unmatched();
    check_limits();
    std::set<core::Address> vips;
    for (const core::Service& service : config_.services) {
      vips.insert(service.vips.begin(), service.vips.end());
    }
    vips.erase(kUnread);
    for (std::size_t i = 0; i < config_.services.size(); ++i) {
      check_backends(i, vips);
      check_weights(i);
      check_slots(i);
    }
  }

 private:
  void check_service_names();
  void check_listeners();
  void check_unmatched();
  void check_limits();
  void check_backends(std::size_t index, const std::set<core::Address>& vips);
  void check_weights(std::size_t index);
  void check_slots(std::size_t index);
  void refuse_over(std::uint64_t count, std::uint64_t limit, const std::string& key, const std::string& what);

  const core::Config& config_;
  RuleReport& report_;
};

void Rules::check_service_names() {
  std::map<std::string_view, std::size_t> names;
  for (std::size_t i = 0; i < config_.services.size(); ++i) {
    const std::string& name = config_.services[i].name;
    const auto [first, fresh] = names.emplace(name, i);
    if (!fresh && !name.empty()) {
      report_.error(service_pointer(i) + "/name", "the service on " +
                                                      report_.line_text(service_pointer(first->second)) +
                                                      " is named " + quoted(name) + " too; names are unique");
    }
  }
}

// Each VIP, port and protocol belongs to one service.
void Rules::check_listeners() {
  using Listener = std::tuple<core::Address, std::uint16_t, core::Protocol>;
  std::map<Listener, std::size_t> owners;
  for (std::size_t i = 0; i < config_.services.size(); ++i) {
    const core::Service& service = config_.services[i];
    for (std::size_t j = 0; j < service.vips.size(); ++j) {
      for (const core::Protocol protocol : service.protocols) {
        if (service.vips[j] == kUnread || service.port == 0) {
          continue;
        }
        const auto [owner, fresh] = owners.emplace(Listener{service.vips[j], service.port, protocol}, i);
        if (fresh) {
          continue;
        }
        const std::string what =
            std::string(name_of(protocol)) + " " + to_string(core::Endpoint{service.vips[j], service.port});
        const std::string& other = config_.services[owner->second].name;
        report_.error(service_pointer(i) + "/vips/" + std::to_string(j),
                      owner->second == i ? "the service " + quoted(service.name) + " lists this VIP twice"
                                         : "the services " + quoted(other) + " (" +
                                               report_.line_text(service_pointer(owner->second)) + ") and " +
                                               quoted(service.name) + " both claim " + what);
      }
    }
  }
}

// What a VIP does with packets that no service takes is its own, and no service's.
void Rules::check_unmatched() {
  std::map<core::Address, std::size_t> owners;
  for (std::size_t i = 0; i < config_.services.size(); ++i) {
    const core::Service& service = config_.services[i];
    for (const core::Address& vip : service.vips) {
      if (vip == kUnread) {
        continue;
      }
      const std::size_t owner = owners.emplace(vip, i).first->second;
      const core::Service& other = config_.services[owner];
      if (other.unmatched != service.unmatched) {
        report_.error(service_pointer(i) + "/unmatched",
                      "the services " + quoted(other.name) + " (" +
                          report_.line_text(service_pointer(owner)) + ") and " + quoted(service.name) +
                          " share the VIP " + to_string(vip) + ", whose \"unmatched\" is " +
                          quoted(to_string(other.unmatched)) + " in the one and " +
                          quoted(to_string(service.unmatched)) + " in the other; write the same in both");
        break;
      }
    }
  }
}

void Rules::refuse_over(std::uint64_t count, std::uint64_t limit, const std::string& key,
                        const std::string& what) {
  if (count > limit) {
    report_.error("/node/limits/" + key, "the configuration has " + std::to_string(count) + " " + what +
                                             ", but node.limits." + key + " allows " + std::to_string(limit) +
                                             "; raise node.limits." + key);
  }
}

void Rules::check_limits() {
  if (report_.any_errors_under("/node/limits")) {
    return;
  }
  const core::Limits& limits = config_.node.limits;
  std::uint64_t slots = 0;
  std::uint64_t listeners = 0;
  std::set<core::Address> vips;
  std::set<core::EntryIdentity> entries;
  for (const core::Service& service : config_.services) {
    slots += service.slots;
    listeners += service.vips.size() * service.protocols.size();
    vips.insert(service.vips.begin(), service.vips.end());
    for (const core::Backend& backend : service.backends) {
      entries.insert(core::entry_identity(service, backend));
    }
  }
  refuse_over(config_.services.size(), limits.services, "services", "services");
  refuse_over(entries.size(), limits.backends, "backends", "backend entries");
  refuse_over(slots, limits.slots, "slots", "slots in all services together");
  const std::uint64_t rows = std::uint64_t{limits.services} * PHX_VIPS_PER_SERVICE;
  if (listeners + vips.size() > rows) {
    report_.error("/node/limits/services",
                  "the VIPs with their ports and protocols need " + std::to_string(listeners + vips.size()) +
                      " rows, but node.limits.services " + std::to_string(limits.services) +
                      " makes room for " + std::to_string(rows) + "; raise node.limits.services");
  }
}

void Rules::check_backends(std::size_t index, const std::set<core::Address>& vips) {
  const auto& backends = config_.services[index].backends;
  std::map<std::string_view, std::size_t> names;
  std::map<core::Endpoint, std::size_t> endpoints;
  for (std::size_t i = 0; i < backends.size(); ++i) {
    const core::Backend& backend = backends[i];
    const std::string pointer = backend_pointer(index, i);
    const auto [same_name, fresh_name] = names.emplace(backend.name, i);
    if (!fresh_name && !backend.name.empty()) {
      report_.error(pointer + "/name",
                    "the backend on " + report_.line_text(backend_pointer(index, same_name->second)) +
                        " is named " + quoted(backend.name) + " too; names are unique in a service");
    }
    if (backend.endpoint.address == kUnread || backend.endpoint.port == 0) {
      continue;
    }
    const auto [same_place, fresh_place] = endpoints.emplace(backend.endpoint, i);
    if (!fresh_place) {
      report_.error(pointer + "/address",
                    quoted(backends[same_place->second].name) + " and " + quoted(backend.name) +
                        " are both " + to_string(backend.endpoint) + "; a service has each backend once");
    }
    if (vips.contains(backend.endpoint.address)) {
      report_.error(pointer + "/address",
                    to_string(backend.endpoint.address) + " is a VIP; a backend needs an address of its own");
    }
  }
}

void Rules::check_weights(std::size_t index) {
  const auto& backends = config_.services[index].backends;
  const bool none = std::all_of(backends.begin(), backends.end(),
                                [](const core::Backend& backend) { return backend.weight == 0; });
  if (!backends.empty() && none) {
    report_.error(service_pointer(index) + "/backends",
                  "every backend has weight 0, so no slot has an owner; give one of them a weight");
  }
}

void Rules::check_slots(std::size_t index) {
  const core::Service& service = config_.services[index];
  const std::uint64_t count = service.backends.size();
  if (count == 0 || service.slots / count >= kFewSlotsPerBackend) {
    return;
  }
  std::uint64_t better = service.slots;
  while (better < PHX_MAX_SLOTS && better / count < kFewSlotsPerBackend) {
    better *= 2;
  }
  const bool refused = service.slots / count < kTooFewSlotsPerBackend;
  const std::string sentence = std::to_string(service.slots) + " slots for " + std::to_string(count) +
                               " backends are " + std::to_string(service.slots / count) +
                               " each, fewer than " +
                               std::to_string(refused ? kTooFewSlotsPerBackend : kFewSlotsPerBackend) +
                               "; write \"slots\": " + std::to_string(better);
  refused ? report_.error(service_pointer(index) + "/slots", sentence)
          : report_.warning(service_pointer(index) + "/slots", sentence + " for an even spread");
}

}  // namespace

void check_rules(const core::Config& config, const DocumentNode& root, const InterfaceMtu& mtu_of,
                 Problems& problems) {
  RuleReport report(root, problems);
  Rules(config, report).check();
  check_forwarding(config, report);
  if (mtu_of) {
    check_room(config, mtu_of, report);
  }
}

}  // namespace phalanx::adapters

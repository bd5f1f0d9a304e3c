// SPDX-License-Identifier: Apache-2.0
#include "adapters/view/route.hpp"

#include <lib/hash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "adapters/view/views.hpp"

namespace phalanx::adapters {
namespace {

using nlohmann::json;

std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::vector<std::string_view> words;
  for (std::size_t begin = line.find_first_not_of(kSpace); begin != std::string_view::npos;
       begin = line.find_first_not_of(kSpace)) {
    line.remove_prefix(begin);
    const std::size_t length = std::min(line.find_first_of(kSpace), line.size());
    words.push_back(line.substr(0, length));
    line.remove_prefix(length);
  }
  return words;
}

// `text` as it may stand in a sentence: short, and with nothing that moves a terminal's cursor.
std::string quoted_word(std::string_view text) {
  constexpr std::size_t kShown = 60;
  std::string quoted = "\"";
  for (const char c : text.substr(0, kShown)) {
    quoted += c >= ' ' && c <= '~' ? c : '?';
  }
  return quoted + (text.size() > kShown ? "...\"" : "\"");
}

std::uint16_t network_order(std::uint16_t value) {
  return static_cast<std::uint16_t>(value << 8 | value >> 8);
}

std::string bytes_of(const phx_vip_key& key) {
  std::string bytes(sizeof key, '\0');
  std::memcpy(bytes.data(), &key, sizeof key);
  return bytes;
}

phx_flow packet_flow(const FlowQuery& query) {
  phx_flow flow{};
  std::copy(query.vip.address.bytes.begin(), query.vip.address.bytes.end(), flow.to.address);
  std::copy(query.source.address.bytes.begin(), query.source.address.bytes.end(), flow.source);
  flow.to.port = network_order(query.vip.port);
  flow.to.protocol = static_cast<std::uint8_t>(query.protocol);
  flow.to.family = static_cast<std::uint8_t>(query.vip.address.family);
  flow.source_port = network_order(query.source.port);
  return flow;
}

json outcome(const char* verdict, std::string reason) {
  return {{"service", nullptr}, {"slot", nullptr},       {"backend", nullptr}, {"role", nullptr},
          {"tracked", false},   {"forward", nullptr},    {"outer", nullptr},   {"rewritten", nullptr},
          {"hops", nullptr},    {"later_hops", nullptr}, {"verdict", verdict}, {"reason", std::move(reason)}};
}

// What the VIP does with a packet that none of its services takes.
json unmatched(const FlowQuery& query, std::uint32_t rule) {
  const std::string what = core::to_string(query.vip.address) + " is a VIP, but no service has " +
                           (query.protocol == core::Protocol::tcp ? "TCP" : "UDP") + " port " +
                           std::to_string(query.vip.port);
  switch (rule) {
    case PHX_UNMATCHED_DROP:
      return outcome("unmatched_dropped", what + "; the VIP's unmatched says to drop");
    case PHX_UNMATCHED_REJECT:
      return outcome("unmatched_rejected", what + "; the VIP's unmatched says to refuse");
    default:
      return outcome("unmatched_passed", what + "; the packet is left to the node's kernel");
  }
}

core::Address address_of(const std::uint8_t (&bytes)[16], std::uint8_t family) {
  core::Address address;
  address.family = static_cast<core::Family>(family);
  std::copy(std::begin(bytes), std::end(bytes), address.bytes.begin());
  return address;
}

// How the packet leaves for the entry whose row this is; a free row says nothing.
void add_forwarding(json& result, const phx_backend& row) {
  if (row.family == PHX_FAMILY_NONE) {
    return;
  }
  const std::string address = core::to_string(address_of(row.address, row.family));
  switch (row.forward) {
    case PHX_FORWARD_IPIP:
      result["forward"] = "ipip";
      result["outer"] = {{"address", address}, {"port", nullptr}};
      return;
    case PHX_FORWARD_GUE:
      result["forward"] = "gue";
      result["outer"] = {{"address", address}, {"port", network_order(row.tunnel_port)}};
      return;
    case PHX_FORWARD_NAT:
      result["forward"] = "nat";
      result["rewritten"] = {{"address", address}, {"port", network_order(row.port)}};
      return;
    default:
      result["forward"] = "l2";
  }
}

}  // namespace

Result<FlowQuery> parse_flow(std::string_view line) {
  const std::vector<std::string_view> words = words_of(line);
  if (words.size() != 3) {
    return fail("read a flow: it has " + std::to_string(words.size()) +
                " words, not three; write PROTO SRC:PORT VIP:PORT, such as tcp 203.0.113.7:4099 "
                "198.51.100.10:80");
  }
  FlowQuery query;
  if (words[0] == "udp") {
    query.protocol = core::Protocol::udp;
  } else if (words[0] != "tcp") {
    return fail("read a flow: " + quoted_word(words[0]) + " is no protocol; write tcp or udp");
  }
  const auto source = core::parse_endpoint(words[1]);
  const auto vip = core::parse_endpoint(words[2]);
  if (!source || !vip) {
    return fail("read a flow: " + quoted_word(source ? words[2] : words[1]) +
                " is no address with a port; write 203.0.113.7:80 or [2001:db8::7]:80");
  }
  if (source->address.family != vip->address.family) {
    return fail("read a flow: " + quoted_word(words[1]) + " and " + quoted_word(words[2]) +
                " are of different families; a packet has one");
  }
  query.source = *source;
  query.vip = *vip;
  return query;
}

Result<Route> Route::open(const core::AppliedState& state, const ports::DataPlaneView& data) {
  auto vips = data.vips();
  if (!vips) {
    return Failure(vips.error());
  }
  Route route(state, data);
  for (const auto& [key, vip] : *vips) {
    route.vips_.emplace(bytes_of(key), vip);
  }
  return route;
}

Route::Route(const core::AppliedState& state, const ports::DataPlaneView& data)
    : data_(&data), entries_(state.layout.limits().backends) {
  const auto& entries = state.layout.entries();
  for (const core::Service& service : state.config.services) {
    const auto rows = state.layout.services().find(service.name);
    if (rows == state.layout.services().end()) {
      continue;
    }
    Named named{service.name, {}};
    for (const core::Backend& backend : service.backends) {
      const auto entry = entries.find(core::entry_identity(service, backend));
      if (entry != entries.end()) {
        named.backends.emplace(entry->second, &backend);
      }
    }
    services_.emplace(rows->second.index, std::move(named));
  }
}

// As in the path: an index that names no entry is an entry that is not up.
bool Route::is_up(std::uint16_t entry) const {
  return entry < entries_ && (data_->backend(entry).state & PHX_STATE_UP) != 0;
}

// As in the path: what was freed, or never had a next hop, can't be sent to.
bool Route::has_next_hop(std::uint16_t entry) const {
  if (entry >= entries_) {
    return false;
  }
  const phx_backend row = data_->backend(entry);
  const int live = (row.state & PHX_STATE_NEXT_HOP) != 0 ? 1 : 0;
  return row.family != PHX_FAMILY_NONE && row.next_hop[live].interface != 0;
}

json Route::answer(const FlowQuery& query) const {
  const phx_flow flow = packet_flow(query);
  if (const auto found = vips_.find(bytes_of(flow.to)); found != vips_.end()) {
    return through_slot(query, found->second);
  }
  phx_vip_key own_row = flow.to;
  own_row.port = 0;
  own_row.protocol = 0;
  if (const auto found = vips_.find(bytes_of(own_row)); found != vips_.end()) {
    return unmatched(query, found->second.unmatched);
  }
  return outcome("foreign_passed",
                 core::to_string(query.vip.address) + " is no VIP; the packet is left to the node's kernel");
}

json Route::through_slot(const FlowQuery& query, const phx_vip& vip) const {
  const auto named = services_.find(vip.service);
  if (named == services_.end()) {
    return outcome("no_table_dropped", "the VIP's row names a service that is not in the applied state");
  }
  const phx_service service = data_->service(vip.service);
  if (service.region == 0) {
    json result = outcome("no_table_dropped", "the service has no table of slots");
    result["service"] = named->second.service;
    return result;
  }
  const phx_flow flow = packet_flow(query);
  const std::uint32_t row = phx_slot_index(service.region, phx_slot_hash(&flow, service.seed));
  const phx_slot slot = data_->slot(row);
  const bool tracked = service.track == PHX_TRACK_ALL ||
                       (service.track != PHX_TRACK_NONE && (slot.flags & PHX_SLOT_TRACKED) != 0);

  json result = through_owners(slot, static_cast<phx_no_backend>(service.no_backend), named->second);
  if (result["forward"] == "gue") {
    const std::uint16_t chosen = result["role"] == "backup" ? slot.backup : slot.primary;
    result["hops"] = hops(slot, chosen, query.protocol == core::Protocol::tcp, named->second);
    result["later_hops"] = hops(slot, chosen, false, named->second);
  }
  result["service"] = named->second.service;
  result["slot"] = row - phx_region_offset(service.region);
  result["tracked"] = tracked;
  if (tracked && result["verdict"] == "sent") {
    result["reason"] = result["reason"].get<std::string>() +
                       "; so for a new flow: flows of this slot are remembered one by one, and those that "
                       "exist may be elsewhere";
  }
  return result;
}

// As in the path (bpf/balancer/hops.h).
json Route::hops(const phx_slot& slot, std::uint16_t chosen, bool begins, const Named& named) const {
  const std::array order = begins ? std::array{slot.backup, slot.previous, slot.primary}
                                  : std::array{slot.primary, slot.previous, slot.backup};
  std::vector<std::uint16_t> members;
  json hops = json::array();
  for (const std::uint16_t member : order) {
    if (member == chosen || member >= entries_ || members.size() == PHX_MAX_HOPS ||
        std::ranges::find(members, member) != members.end()) {
      continue;
    }
    const phx_backend row = data_->backend(member);
    const bool is_free = (row.state & (PHX_STATE_UP | PHX_STATE_DRAINING)) == PHX_STATE_UP;
    if (row.family == PHX_FAMILY_NONE || !(begins ? is_free : (row.state & PHX_STATE_REACHABLE) != 0)) {
      continue;
    }
    members.push_back(member);
    const auto found = named.backends.find(member);
    hops.push_back({{"name", found != named.backends.end() ? json(found->second->name) : json(nullptr)},
                    {"address", core::to_string(address_of(row.address, row.family))}});
  }
  return hops;
}

json Route::through_owners(const phx_slot& slot, phx_no_backend rule, const Named& named) const {
  json result;
  if (is_up(slot.primary)) {
    result = outcome("sent", "the slot's primary is up");
    result["role"] = "primary";
    name_backend(result, slot.primary, named);
  } else if (is_up(slot.backup)) {
    result = outcome("sent", "the slot's primary is down; its backup is up");
    result["role"] = "backup";
    name_backend(result, slot.backup, named);
  } else if (rule == PHX_NO_BACKEND_LAST_GOOD && has_next_hop(slot.primary)) {
    result = outcome("last_good",
                     "the slot's primary and backup are both down; the service's no_backend says to send to "
                     "the primary all the same");
    result["role"] = "primary";
    name_backend(result, slot.primary, named);
  } else if (rule == PHX_NO_BACKEND_REJECT) {
    result = outcome("rejected",
                     "the slot's primary and backup are both down; the service's no_backend says to refuse");
  } else {
    result = outcome("no_backend_dropped", "the slot's primary and backup are both down");
  }
  return result;
}

void Route::name_backend(json& result, std::uint16_t entry, const Named& named) const {
  add_forwarding(result, data_->backend(entry));
  const auto found = named.backends.find(entry);
  if (found == named.backends.end()) {
    result["reason"] =
        "the slot names an entry that the applied state gives to none of the service's backends";
    return;
  }
  const core::Backend& backend = *found->second;
  result["backend"] = {{"name", backend.name},
                       {"address", core::to_string(backend.endpoint.address)},
                       {"port", backend.endpoint.port}};
}

json Route::answer_line(std::string_view line) const {
  const auto query = parse_flow(line);
  if (!query) {
    return {{"line", std::string(line)}, {"error", query.error().message}};
  }
  return answer(*query);
}

std::string Route::answer_lines(std::string_view lines) const {
  std::string answers;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    answers += write_json(answer_line(lines.substr(0, end))) + "\n";
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return answers;
}

}  // namespace phalanx::adapters

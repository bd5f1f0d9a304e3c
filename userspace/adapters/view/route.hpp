// SPDX-License-Identifier: Apache-2.0
// Which backend a new flow would go to, and why: the packet path's own decision about its first packet (a
// SYN), taken from the live maps with the very hash that it uses. Later packets of a tracked slot's flows may
// be sent elsewhere by the flow table, which is not asked.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/applied_state.hpp"
#include "ports/data_plane.hpp"

namespace phalanx::adapters {

struct FlowQuery {
  core::Protocol protocol = core::Protocol::tcp;
  core::Endpoint source;  // the client
  core::Endpoint vip;     // of source's family
};

// "tcp 203.0.113.7:99 198.51.100.10:80"; IPv6 as "[2001:db8::7]:99". Fails with a sentence that says which
// part is wrong.
Result<FlowQuery> parse_flow(std::string_view line);

// Answers for as long as `state` and `data` live. Slots and up bits are read for each answer; VIPs and names
// as they were at open().
class Route {
 public:
  // Fails when the map of VIPs can't be read.
  static Result<Route> open(const core::AppliedState& state, const ports::DataPlaneView& data);

  // {service, slot, backend: {name, address, port}, role, tracked, forward, outer: {address, port},
  // rewritten: {address, port}, hops: [{name, address}], later_hops, verdict, reason}. slot counts from the
  // first of its service; role is "primary" or "backup"; forward is how the packet gets to the backend:
  // "ipip", "l2", "gue" or "nat". outer: where a tunnel's outer header leads (port: of gue). rewritten: the
  // packet's new destination in nat. hops: of gue, whom the first packet names for its second chance, and
  // later_hops whom the next ones do; the name is null of one that the service has no more. What does not
  // apply is null. tracked: the flow would be remembered. verdict:
  //   sent                 encapsulated or rewritten, and on its way to backend
  //   last_good            to the slot's primary though it and the backup are down, by the service's
  //                        no_backend
  //   rejected             primary and backup are down: refused by a TCP reset or ICMP unreachable
  //   no_backend_dropped   primary and backup are down, and no_backend says "drop"; or "last-good", but
  //                        primary never had a next hop
  //   no_table_dropped     the VIP's row names a service that has no table
  //   unmatched_passed     to a VIP, on a protocol and port without service: left to the node's kernel
  //   unmatched_dropped    the same, dropped by the VIP's unmatched
  //   unmatched_rejected   the same, refused by a TCP reset or ICMP unreachable
  //   foreign_passed       not to a VIP: left to the node's kernel
  nlohmann::json answer(const FlowQuery& query) const;

  // The answer to a line of text, or {line, error} where it is not a flow.
  nlohmann::json answer_line(std::string_view line) const;

  // A line of JSON for each line of `lines`, also for empty ones.
  std::string answer_lines(std::string_view lines) const;

 private:
  struct Named {
    std::string service;
    // Of each entry that the service uses.
    std::unordered_map<core::EntryIndex, const core::Backend*> backends;
  };

  Route(const core::AppliedState& state, const ports::DataPlaneView& data);

  bool is_up(std::uint16_t entry) const;
  bool has_next_hop(std::uint16_t entry) const;
  nlohmann::json through_slot(const FlowQuery& query, const phx_vip& vip) const;
  nlohmann::json hops(const phx_slot& slot, std::uint16_t chosen, bool begins, const Named& named) const;
  nlohmann::json through_owners(const phx_slot& slot, phx_no_backend rule, const Named& named) const;
  void name_backend(nlohmann::json& result, std::uint16_t entry, const Named& named) const;

  const ports::DataPlaneView* data_;
  std::unordered_map<std::string, phx_vip> vips_;  // by the bytes of phx_vip_key
  std::unordered_map<std::uint32_t, Named> services_;
  std::uint32_t entries_;  // rows of `backends`
};

}  // namespace phalanx::adapters

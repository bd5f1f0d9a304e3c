// SPDX-License-Identifier: Apache-2.0
// Questions to the kernel's links, routes and neighbours, and what Phalanx asks it to keep resolved.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "adapters/netlink/messages.hpp"
#include "adapters/netlink/netlink_socket.hpp"
#include "core/result.hpp"

namespace phalanx::adapters {

// Who made a neighbour entry (NDA_PROTOCOL, shown by `ip neigh` as "proto 80"): by it a later run knows which
// of the managed entries are Phalanx's.
inline constexpr std::uint8_t kNeighbourProtocol = 80;

struct RouteAnswer {
  std::optional<RouteRow> route;
  int error = 0;  // errno where there is none: ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL, ...
};

class KernelTables {
 public:
  static Result<KernelTables> open();

  // All links of the network namespace. Returns the kernel's errno or 0.
  int links(const std::function<void(LinkRow)>& on_link);
  // By the kernel's own lookup: of a multipath route the one hop that it takes for this address.
  RouteAnswer route(const core::Address& target);
  std::optional<NeighbourRow> neighbour(const NeighbourKey& key);

  // Makes the kernel resolve the neighbour now and, from Linux 5.16 on, keep it resolved (NTF_EXT_MANAGED);
  // older kernels ignore that flag, and one must ask again from time to time. Not for permanent entries: the
  // kernel would take their permanence away. Returns the kernel's errno or 0.
  int solicit(const NeighbourKey& key);
  // Leaves the entry as it is, but no longer managed.
  int release(const NeighbourKey& key);

 private:
  explicit KernelTables(NetlinkSocket socket) : socket_(std::move(socket)) {}
  int put_neighbour(const NeighbourKey& key, std::uint32_t extended_flags, std::uint8_t protocol);

  NetlinkSocket socket_;
};

}  // namespace phalanx::adapters

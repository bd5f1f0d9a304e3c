// SPDX-License-Identifier: Apache-2.0
#include "adapters/netlink/kernel_tables.hpp"

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>

namespace phalanx::adapters {

namespace {

constexpr std::size_t kRequestBytes = 256;

std::uint8_t socket_family(core::Family family) {
  return family == core::Family::ipv4 ? AF_INET : AF_INET6;
}

// A request in its own storage: the header, a fixed part and attributes.
template <typename Header>
class Request {
 public:
  Request(std::uint16_t type, std::uint16_t flags) : message_(mnl_nlmsg_put_header(storage_.data())) {
    message_->nlmsg_type = type;
    message_->nlmsg_flags = flags;
    header_ = static_cast<Header*>(mnl_nlmsg_put_extra_header(message_, sizeof(Header)));
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  nlmsghdr& message() { return *message_; }
  Header& header() { return *header_; }

  void put(std::uint16_t type, const core::Address& address) {
    mnl_attr_put(message_, type, static_cast<std::size_t>(address.size()), address.bytes.data());
  }

 private:
  alignas(nlmsghdr) std::array<char, kRequestBytes> storage_{};
  nlmsghdr* message_;
  Header* header_;
};

}  // namespace

Result<KernelTables> KernelTables::open() {
  auto socket = NetlinkSocket::open({});
  if (!socket) {
    return fail(std::move(socket.error().message));
  }
  return KernelTables(std::move(*socket));
}

int KernelTables::links(const std::function<void(LinkRow)>& on_link) {
  Request<ifinfomsg> request(RTM_GETLINK, NLM_F_DUMP);
  return socket_.ask(request.message(), [&](const nlmsghdr& message) {
    if (auto row = link_row(message)) {
      on_link(std::move(*row));
    }
  });
}

RouteAnswer KernelTables::route(const core::Address& target) {
  Request<rtmsg> request(RTM_GETROUTE, 0);
  request.header().rtm_family = socket_family(target.family);
  request.header().rtm_dst_len = static_cast<unsigned char>(target.size() * 8);
  request.put(RTA_DST, target);
  RouteAnswer answer;
  answer.error =
      socket_.ask(request.message(), [&](const nlmsghdr& message) { answer.route = route_row(message); });
  return answer;
}

std::optional<NeighbourRow> KernelTables::neighbour(const NeighbourKey& key) {
  Request<ndmsg> request(RTM_GETNEIGH, 0);
  request.header().ndm_family = socket_family(key.address.family);
  request.header().ndm_ifindex = static_cast<int>(key.interface);
  request.put(NDA_DST, key.address);
  std::optional<NeighbourRow> row;
  const int error =
      socket_.ask(request.message(), [&](const nlmsghdr& message) { row = neighbour_row(message); });
  return error == 0 ? row : std::nullopt;
}

int KernelTables::solicit(const NeighbourKey& key) {
  return put_neighbour(key, NTF_EXT_MANAGED, kNeighbourProtocol);
}

int KernelTables::release(const NeighbourKey& key) {
  return put_neighbour(key, 0, RTPROT_UNSPEC);
}

// NTF_USE makes the kernel leave the entry's state alone and probe where it must: without it a request with
// no state would invalidate the entry on kernels that don't know NTF_EXT_MANAGED. A request with NTF_USE but
// without NTF_EXT_MANAGED ends the management (neigh_update_flags() in net/core/neighbour.c).
int KernelTables::put_neighbour(const NeighbourKey& key, std::uint32_t extended_flags,
                                std::uint8_t protocol) {
  Request<ndmsg> request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
  request.header().ndm_family = socket_family(key.address.family);
  request.header().ndm_ifindex = static_cast<int>(key.interface);
  request.header().ndm_state = NUD_NONE;
  request.header().ndm_flags = NTF_USE;
  request.put(NDA_DST, key.address);
  mnl_attr_put_u32(&request.message(), NDA_FLAGS_EXT, extended_flags);
  mnl_attr_put_u8(&request.message(), NDA_PROTOCOL, protocol);
  return socket_.ask(request.message(), [](const nlmsghdr&) {});
}

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "adapters/netlink/tcp_connections.hpp"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "adapters/netlink/netlink_socket.hpp"

namespace phalanx::adapters {

namespace {

constexpr std::size_t kRequestBytes = 128;
constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

core::Endpoint local_end(const inet_diag_msg& socket) {
  core::Endpoint local;
  local.port = ntohs(socket.id.idiag_sport);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(socket.id.idiag_src);
  if (socket.idiag_family == AF_INET6 && std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes)) {
    bytes += kMappedPrefix.size();
  } else if (socket.idiag_family == AF_INET6) {
    local.address.family = core::Family::ipv6;
  }
  std::copy_n(bytes, local.address.size(), local.address.bytes.begin());
  return local;
}

int dump(NetlinkSocket& socket, std::uint8_t family,
         const std::function<void(const core::Endpoint&)>& on_connection) {
  alignas(nlmsghdr) std::array<char, kRequestBytes> storage{};
  nlmsghdr* const message = mnl_nlmsg_put_header(storage.data());
  message->nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message->nlmsg_flags = NLM_F_DUMP;
  auto* const request =
      static_cast<inet_diag_req_v2*>(mnl_nlmsg_put_extra_header(message, sizeof(inet_diag_req_v2)));
  request->sdiag_family = family;
  request->sdiag_protocol = IPPROTO_TCP;
  request->idiag_states = 1u << TCP_ESTABLISHED | 1u << TCP_CLOSE_WAIT;
  return socket.ask(*message, [&](const nlmsghdr& answer) {
    if (mnl_nlmsg_get_payload_len(&answer) >= sizeof(inet_diag_msg)) {
      on_connection(local_end(*static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(&answer))));
    }
  });
}

}  // namespace

Result<void> each_tcp_connection(const std::function<void(const core::Endpoint&)>& on_connection) {
  Result<NetlinkSocket> socket = NetlinkSocket::open({}, NETLINK_SOCK_DIAG);
  if (!socket) {
    return Failure(socket.error());
  }
  for (const auto family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
    if (const int error = dump(*socket, family, on_connection); error != 0) {
      return fail(std::string("ask the kernel for its TCP sockets: ") + std::strerror(error) +
                  "; it needs CONFIG_INET_DIAG (modules inet_diag and tcp_diag)");
    }
  }
  return {};
}

}  // namespace phalanx::adapters

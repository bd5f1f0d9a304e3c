// SPDX-License-Identifier: Apache-2.0
#include "adapters/netlink/netlink_socket.hpp"

#include <libmnl/libmnl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace phalanx::adapters {

namespace {

// Room for the messages of some thousand neighbours that change at once.
constexpr int kReceiveBytes = 4 << 20;

// Walks one datagram. Returns whether the answer is complete; error gets the kernel's errno.
bool walk(const char* data, std::size_t size, std::uint32_t sequence,
          const NetlinkSocket::OnMessage& on_message, int& error) {
  const auto* message = reinterpret_cast<const nlmsghdr*>(data);
  int left = static_cast<int>(size);
  for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
    if (message->nlmsg_seq != sequence) {
      continue;  // an answer to a request that was given up
    }
    if (message->nlmsg_type == NLMSG_ERROR) {
      error = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
      return true;
    }
    if (message->nlmsg_type == NLMSG_DONE) {
      return true;
    }
    on_message(*message);
  }
  return false;
}

}  // namespace

void NetlinkSocket::Close::operator()(mnl_socket* socket) const {
  mnl_socket_close(socket);
}

static_assert(NETLINK_ROUTE == 0, "what open() asks for unless told");

Result<NetlinkSocket> NetlinkSocket::open(const std::vector<int>& groups, int protocol) {
  const auto refuse = [](const char* what) {
    return fail(std::string(what) + " a netlink socket: " + std::strerror(errno) +
                "; the kernel cannot be asked without one");
  };
  mnl_socket* raw = mnl_socket_open2(protocol, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (raw == nullptr) {
    return refuse("open");
  }
  NetlinkSocket socket(raw);
  // Forced where privilege allows; else within net.core.rmem_max. A drop is noticed and healed either way.
  if (setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes, sizeof(kReceiveBytes)) != 0) {
    setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUF, &kReceiveBytes, sizeof(kReceiveBytes));
  }
  if (mnl_socket_bind(raw, 0, MNL_SOCKET_AUTOPID) != 0) {
    return refuse("bind");
  }
  for (int group : groups) {
    if (mnl_socket_setsockopt(raw, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0) {
      return refuse("subscribe");
    }
  }
  return socket;
}

int NetlinkSocket::fd() const {
  return mnl_socket_get_fd(socket_.get());
}

int NetlinkSocket::ask(nlmsghdr& request, const OnMessage& on_message) {
  // Every answer is closed by an acknowledgement or, for a dump, by NLMSG_DONE.
  request.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  request.nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_.get(), &request, request.nlmsg_len) < 0) {
    return errno;
  }
  int error = 0;
  for (bool complete = false; !complete;) {
    const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer_.data(), buffer_.size());
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size < 0) {
      return errno;
    }
    complete = walk(buffer_.data(), static_cast<std::size_t>(size), sequence_, on_message, error);
  }
  return error;
}

bool NetlinkSocket::read_events(int most, const OnMessage& on_message) {
  for (int i = 0; i < most; ++i) {
    const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer_.data(), buffer_.size());
    if (size < 0 && (errno == ENOBUFS || errno == ENOSPC)) {  // ENOSPC: libmnl's word for a cut datagram
      dropped_ = true;
      continue;
    }
    if (size < 0) {
      return std::exchange(dropped_, false);
    }
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data());
    int left = static_cast<int>(size);
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      on_message(*message);
    }
  }
  return false;
}

}  // namespace phalanx::adapters

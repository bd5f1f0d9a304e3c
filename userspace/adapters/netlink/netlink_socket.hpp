// SPDX-License-Identifier: Apache-2.0
// A non-blocking netlink socket (libmnl), rtnetlink's unless told.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/result.hpp"

struct mnl_socket;
struct nlmsghdr;

namespace phalanx::adapters {

class NetlinkSocket {
 public:
  using OnMessage = std::function<void(const nlmsghdr&)>;

  // groups: RTNLGRP_* to follow; none for a socket that only asks. protocol: NETLINK_ROUTE, or another one.
  // Fails where the kernel gives no socket.
  static Result<NetlinkSocket> open(const std::vector<int>& groups, int protocol = 0);

  int fd() const;

  // Sends one request and hands each message of the answer to on_message. rtnetlink does the work while the
  // request is being sent, so the answer is there at once and this never waits. Returns 0, or the kernel's
  // errno.
  int ask(nlmsghdr& request, const OnMessage& on_message);

  // Hands on what the followed groups have said, at most `most` datagrams. True where the kernel dropped
  // messages (ENOBUFS) and what it had queued before has been read: everything must be asked anew. Not
  // earlier: from the first drop until the queue is empty it drops without a word (netlink_overrun()).
  bool read_events(int most, const OnMessage& on_message);

 private:
  struct Close {
    void operator()(mnl_socket* socket) const;
  };
  explicit NetlinkSocket(mnl_socket* socket) : socket_(socket) {}

  std::unique_ptr<mnl_socket, Close> socket_;
  std::uint32_t sequence_ = 0;
  bool dropped_ = false;
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
  // The kernel sizes dump messages by the reader's buffer, up to 32 KiB.
  static constexpr std::size_t kBufferBytes = 32768;
};

}  // namespace phalanx::adapters

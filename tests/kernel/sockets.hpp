// SPDX-License-Identifier: Apache-2.0
// Real sockets in the network namespace that the test is in, whose addresses all lie on its loopback
// interface.
#pragma once

#include <utility>

#include "packet.hpp"

namespace phalanx::test {

class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() { close(); }

  void close();
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

// All of these stop the test program when the kernel refuses.
// Until there is a way to `to`: the kernel makes an IPv6 address's route some time after the address.
void wait_until_routed(const Endpoint& to);
// kind: SOCK_STREAM or SOCK_DGRAM.
Socket bound(int kind, const Endpoint& to);
Socket listening(const Endpoint& at);
// A UDP socket at `at` that takes datagrams from `peer` alone; a TCP one that is connected to `peer`.
Socket connected(int kind, const Endpoint& at, const Endpoint& peer);
Socket accepted(const Socket& listener);
// A TCP socket in the middle of a connection whose other end there need not be (man 7 tcp: TCP_REPAIR).
Socket established(const Endpoint& at, const Endpoint& peer);

// Sends the IP packet, and waits for the TCP segment that answers it. Returns that segment's sequence number.
std::uint32_t sequence_of_answer(const Packet& packet);

}  // namespace phalanx::test

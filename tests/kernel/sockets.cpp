// SPDX-License-Identifier: Apache-2.0
#include "sockets.hpp"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "program_run.hpp"

namespace phalanx::test {
namespace {

struct Name {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Name name_of(const Endpoint& endpoint) {
  Name name;
  if (is_ipv6(endpoint.address)) {
    auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&name.storage);
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(endpoint.port);
    inet_pton(AF_INET6, endpoint.address.c_str(), &ipv6->sin6_addr);
    name.size = sizeof(*ipv6);
  } else {
    auto* ipv4 = reinterpret_cast<sockaddr_in*>(&name.storage);
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(endpoint.port);
    inet_pton(AF_INET, endpoint.address.c_str(), &ipv4->sin_addr);
    name.size = sizeof(*ipv4);
  }
  return name;
}

void inject(const Packet& packet) {
  const bool ipv6 = is_ipv6(packet.to().address);
  const Socket raw(::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  Name to = name_of({packet.to().address, 0});
  const Bytes ip = packet.ip();
  require(::sendto(raw.fd(), ip.data(), ip.size(), 0, to.get(), to.size) == static_cast<ssize_t>(ip.size()),
          "a raw packet cannot be sent");
}

void connect_when_routed(const Socket& socket, const Endpoint& to) {
  Name name = name_of(to);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (::connect(socket.fd(), name.get(), name.size) != 0) {
    require(errno == ENETUNREACH && std::chrono::steady_clock::now() < deadline, "a socket cannot connect");
    ::poll(nullptr, 0, 1);
  }
}

}  // namespace

void Socket::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void wait_until_routed(const Endpoint& to) {
  connect_when_routed(
      Socket(::socket(is_ipv6(to.address) ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), to);
}

Socket bound(int kind, const Endpoint& to) {
  Socket socket(::socket(is_ipv6(to.address) ? AF_INET6 : AF_INET, kind | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  Name name = name_of(to);
  require(::bind(socket.fd(), name.get(), name.size) == 0, "a socket cannot be bound");
  return socket;
}

Socket listening(const Endpoint& at) {
  Socket socket = bound(SOCK_STREAM, at);
  require(::listen(socket.fd(), 16) == 0, "a socket cannot listen");
  return socket;
}

Socket connected(int kind, const Endpoint& at, const Endpoint& peer) {
  Socket socket = bound(kind, at);
  connect_when_routed(socket, peer);
  return socket;
}

Socket accepted(const Socket& listener) {
  Socket socket(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  require(socket.fd() >= 0, "a connection cannot be accepted");
  return socket;
}

Socket established(const Endpoint& at, const Endpoint& peer) {
  Socket socket(::socket(is_ipv6(at.address) ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  require(::setsockopt(socket.fd(), IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) == 0,
          "a socket cannot be put into repair");
  Name here = name_of(at);
  Name there = name_of(peer);
  require(::bind(socket.fd(), here.get(), here.size) == 0, "a socket cannot be bound");
  require(::connect(socket.fd(), there.get(), there.size) == 0, "a socket cannot connect");
  return socket;
}

std::uint32_t sequence_of_answer(const Packet& packet) {
  const bool ipv6 = is_ipv6(packet.to().address);
  const Socket tap(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL)));
  sockaddr_ll loopback{};
  loopback.sll_family = AF_PACKET;
  loopback.sll_protocol = htons(ipv6 ? ETH_P_IPV6 : ETH_P_IP);
  loopback.sll_ifindex = static_cast<int>(::if_nametoindex("lo"));
  require(::bind(tap.fd(), reinterpret_cast<sockaddr*>(&loopback), sizeof(loopback)) == 0,
          "the loopback interface cannot be listened to");
  inject(packet);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  const Bytes client = address_bytes(packet.from().address);
  const std::size_t destination = ipv6 ? 24 : 16;
  const std::size_t tcp = ipv6 ? 40 : 20;
  while (std::chrono::steady_clock::now() < deadline) {
    pollfd ready{tap.fd(), POLLIN, 0};
    ::poll(&ready, 1, 100);
    Bytes seen(2048);
    const ssize_t size = ::recv(tap.fd(), seen.data(), seen.size(), MSG_DONTWAIT);
    if (size < static_cast<ssize_t>(tcp + 20) ||
        !std::equal(client.begin(), client.end(), seen.begin() + static_cast<std::ptrdiff_t>(destination))) {
      continue;
    }
    if ((seen[tcp + 13] & (kSyn | kAck)) != (kSyn | kAck)) continue;
    std::uint32_t sequence = 0;
    std::memcpy(&sequence, &seen[tcp + 4], sizeof(sequence));
    return ntohl(sequence);
  }
  require(false, "nobody answered a SYN within 5 s");
  return 0;
}

}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
#include "network_fixture.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "program_run.hpp"

namespace phalanx::test {

Network::Network() : former_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  require(former_ >= 0 && ::unshare(CLONE_NEWNET) == 0, "there is no network namespace to be had");
  run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0");
  run("ip link set lo up");
  for (const std::string name : {"clients", "backends"}) {
    run("ip link add " + name + " type veth peer name peer-" + name);
    run("ip link set " + name + " up && ip link set peer-" + name + " up");
  }
  run("ip address add 192.0.2.1/24 dev clients && ip address add 2001:db8:1::1/64 dev clients nodad");
  run("ip address add 10.0.0.1/16 dev backends && ip address add fd00::1/16 dev backends nodad");
}

Network::~Network() {
  if (former_ < 0) return;
  require(::setns(former_, CLONE_NEWNET) == 0, "the way back to the former network namespace is closed");
  ::close(former_);
}

void Network::run(const std::string& command) {
  require(std::system(command.c_str()) == 0, command.c_str());
}

std::uint32_t Network::interface(const std::string& name) {
  return ::if_nametoindex(name.c_str());
}

std::uint64_t Network::mac_of(const std::string& interface) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, interface.c_str(), IFNAMSIZ - 1);
  const bool done = socket >= 0 && ::ioctl(socket, SIOCGIFHWADDR, &request) == 0;
  ::close(socket);
  require(done, "an interface does not say its MAC address");
  std::uint64_t mac = 0;
  for (int i = 0; i < 6; i++) mac = mac << 8 | static_cast<std::uint8_t>(request.ifr_hwaddr.sa_data[i]);
  return mac;
}

}  // namespace phalanx::test

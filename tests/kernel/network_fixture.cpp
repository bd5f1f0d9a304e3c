// SPDX-License-Identifier: Apache-2.0
#include "network_fixture.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "program_run.hpp"

namespace phalanx::test {

Network::Network() : former_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  require(former_ >= 0 && ::unshare(CLONE_NEWNET) == 0, "there is no network namespace to be had");
  set("ipv4/ip_forward", 1);
  set("ipv6/conf/all/forwarding", 1);
  set("ipv6/conf/default/accept_dad", 0);
  ip({"link set lo up", "link add clients type veth peer name peer-clients",
      "link add backends type veth peer name peer-backends", "link set clients up",
      "link set peer-clients up", "link set backends up", "link set peer-backends up",
      "address add 192.0.2.1/24 dev clients", "address add 2001:db8:1::1/64 dev clients nodad",
      "address add 10.0.0.1/16 dev backends", "address add fd00::1/16 dev backends nodad"});
}

Network::~Network() {
  if (former_ < 0) return;
  require(::setns(former_, CLONE_NEWNET) == 0, "the way back to the former network namespace is closed");
  ::close(former_);
}

void Network::ip(const std::vector<std::string>& commands) {
  std::FILE* pipe = ::popen("ip -batch -", "we");
  require(pipe != nullptr, "ip cannot be started");
  for (const std::string& command : commands) std::fprintf(pipe, "%s\n", command.c_str());
  require(::pclose(pipe) == 0, "ip did not do what it was asked for");
}

void Network::set(const std::string& key, int value) {
  std::ofstream file("/proc/sys/net/" + key);
  file << value << std::flush;
  require(file.good(), key.c_str());
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

// SPDX-License-Identifier: Apache-2.0
#include "adapters/bpf/attach_error.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "adapters/bpf/descriptor.hpp"
#include "adapters/bpf/libbpf_log.hpp"
#include "adapters/bpf/pin_directory.hpp"
#include "adapters/bpf/pinned_object.hpp"

namespace phalanx::adapters {
namespace {

// 0 where it can't be asked.
int mtu_of(const std::string& interface) {
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  return ::ioctl(socket.get(), SIOCGIFMTU, &request) == 0 ? request.ifr_mtu : 0;
}

// By id takes CAP_SYS_ADMIN; without it the id has to do.
std::string name_program(std::uint32_t id) {
  const Descriptor program(::bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  if (!program.valid() || ::bpf_obj_get_info_by_fd(program.get(), &info, &length) != 0) {
    return fmt::format("a program with id {}", id);
  }
  return fmt::format("the program \"{}\" (id {})", info.name, id);
}

// The BPF link that holds the program on the interface; 0 when none does or it can't be asked. The index
// alone may be that of another network namespace.
std::uint32_t link_on(std::uint32_t ifindex, std::uint32_t program) {
  for (std::uint32_t id = 0; ::bpf_link_get_next_id(id, &id) == 0;) {
    const Descriptor link(::bpf_link_get_fd_by_id(id));
    bpf_link_info info{};
    std::uint32_t length = sizeof(info);
    if (link.valid() && ::bpf_obj_get_info_by_fd(link.get(), &info, &length) == 0 &&
        info.type == BPF_LINK_TYPE_XDP && info.xdp.ifindex == ifindex && info.prog_id == program) {
      return id;
    }
  }
  return 0;
}

std::string occupied(const std::string& interface, std::uint32_t ifindex, int error) {
  const LibbpfLog log;
  bpf_xdp_query_opts query{};
  query.sz = sizeof(query);
  static_cast<void>(::bpf_xdp_query(static_cast<int>(ifindex), 0, &query));
  const std::uint32_t id = std::max({query.drv_prog_id, query.skb_prog_id, query.hw_prog_id, query.prog_id});
  if (id == 0) {
    return fmt::format(
        "attach to {}: another program is attached already, {}; detach it first: "
        "ip link set dev {} xdp off",
        interface, describe_errno(error), interface);
  }
  if (const std::uint32_t link = link_on(ifindex, id); link != 0) {
    return fmt::format(
        "attach to {}: {} is attached already, held by BPF link {}; end the process or remove the "
        "pin that holds it (bpftool link show id {}; of another Phalanx: phalanx down --pin-dir DIR)",
        interface, name_program(id), link, link);
  }
  return fmt::format("attach to {}: {} is attached already; detach it first: ip link set dev {} {} off",
                     interface, name_program(id), interface, query.skb_prog_id == id ? "xdpgeneric" : "xdp");
}

}  // namespace

std::string no_such_interface(const std::string& interface) {
  std::string names;
  struct if_nameindex* list = ::if_nameindex();
  for (const struct if_nameindex* entry = list; entry != nullptr && entry->if_name != nullptr; ++entry) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", entry->if_name);
  }
  ::if_freenameindex(list);
  return fmt::format("attach to {}: there is no such interface; there are: {}", interface, names);
}

bool refused_by_driver(int error) {
  return error != EPERM && error != EACCES && error != EBUSY && error != EEXIST && error != ENODEV;
}

std::string attach_refusal(const std::string& interface, std::uint32_t ifindex, bool native, int error) {
  if (error == EPERM || error == EACCES) {
    return missing_privilege("attach to " + interface);
  }
  if (error == EBUSY || error == EEXIST) {
    return occupied(interface, ifindex, error);
  }
  if (error == ENODEV) {
    return no_such_interface(interface);
  }
  if (!native) {
    return fmt::format("attach to {} in generic mode: {}", interface, describe_errno(error));
  }
  if (error == EOPNOTSUPP) {
    return fmt::format(
        "attach to {} in native mode: its driver has none; set \"node.xdp_mode\" to \"generic\" or "
        "\"auto\"",
        interface);
  }
  if (error == ERANGE || error == EINVAL || error == EMSGSIZE) {
    return fmt::format(
        "attach to {} in native mode: its driver refuses, {}; mostly the MTU is too large (its own "
        "is {}; with veth the peer's counts, at most 3506): lower it, or set \"node.xdp_mode\" to "
        "\"generic\" or \"auto\"",
        interface, describe_errno(error), mtu_of(interface));
  }
  return fmt::format(
      "attach to {} in native mode: its driver refuses, {}; set \"node.xdp_mode\" to \"generic\" or "
      "\"auto\"",
      interface, describe_errno(error));
}

}  // namespace phalanx::adapters

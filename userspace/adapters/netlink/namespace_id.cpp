// SPDX-License-Identifier: Apache-2.0
#include "adapters/netlink/namespace_id.hpp"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "adapters/netlink/netlink_socket.hpp"

namespace phalanx::adapters {

namespace {

constexpr std::size_t kRequestBytes = 64;
constexpr std::uint32_t kNone = 0xffffffff;  // NETNSA_NSID_NOT_ASSIGNED; of a request: choose one

class Request {
 public:
  Request(std::uint16_t type, int fd) : message_(mnl_nlmsg_put_header(storage_.data())) {
    message_->nlmsg_type = type;
    static_cast<rtgenmsg*>(mnl_nlmsg_put_extra_header(message_, sizeof(rtgenmsg)))->rtgen_family = AF_UNSPEC;
    mnl_attr_put_u32(message_, NETNSA_FD, static_cast<std::uint32_t>(fd));
  }
  nlmsghdr& message() { return *message_; }

 private:
  alignas(nlmsghdr) std::array<char, kRequestBytes> storage_{};
  nlmsghdr* message_;
};

int read_attribute(const nlattr* attribute, void* id) {
  if (mnl_attr_get_type(attribute) == NETNSA_NSID) {
    *static_cast<std::uint32_t*>(id) = mnl_attr_get_u32(attribute);
  }
  return MNL_CB_OK;
}

// Returns errno.
int ask_for_id(NetlinkSocket& socket, int fd, std::uint32_t& id) {
  Request request(RTM_GETNSID, fd);
  return socket.ask(request.message(), [&](const nlmsghdr& message) {
    mnl_attr_parse(&message, sizeof(rtgenmsg), read_attribute, &id);
  });
}

// Somebody else may have given one meanwhile: it is asked for anew, whatever came of this.
int give_id(NetlinkSocket& socket, int fd) {
  Request request(RTM_NEWNSID, fd);
  mnl_attr_put_u32(&request.message(), NETNSA_NSID, kNone);
  return socket.ask(request.message(), [](const nlmsghdr&) {});
}

Result<int> open_namespace(const std::string& name) {
  const std::string path = name.find('/') == std::string::npos ? "/run/netns/" + name : name;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail("open network namespace " + path + ": " + std::strerror(errno) +
                "; \"ip netns\" lists the named ones");
  }
  return fd;
}

Result<std::uint32_t> id_of(int fd, const std::string& name) {
  Result<NetlinkSocket> socket = NetlinkSocket::open({});
  if (!socket) {
    return Failure(socket.error());
  }
  std::uint32_t id = kNone;
  int error = ask_for_id(*socket, fd, id);
  if (error == 0 && id == kNone) {
    error = give_id(*socket, fd);
    if (const int again = ask_for_id(*socket, fd, id); again == 0 && id != kNone) {
      error = 0;
    }
  }
  if (error != 0 || id == kNone) {
    return fail("ask the kernel for the id of network namespace " + name + ": " +
                std::strerror(error != 0 ? error : ENOENT) +
                "; name one as \"ip netns\" does, or the path of one, and run as root");
  }
  return id;
}

}  // namespace

Result<std::uint32_t> namespace_id(const std::string& name) {
  const Result<int> fd = open_namespace(name);
  if (!fd) {
    return Failure(fd.error());
  }
  Result<std::uint32_t> id = id_of(*fd, name);
  ::close(*fd);
  return id;
}

Result<void> in_namespace(const std::string& name, const std::function<void()>& act) {
  const Result<int> fd = open_namespace(name);
  if (!fd) {
    return Failure(fd.error());
  }
  int error = 0;
  std::thread([&] {
    error = ::setns(*fd, CLONE_NEWNET) == 0 ? 0 : errno;
    if (error == 0) {
      act();
    }
  }).join();
  ::close(*fd);
  if (error != 0) {
    return fail("enter network namespace " + name + ": " + std::strerror(error) + "; run as root");
  }
  return {};
}

}  // namespace phalanx::adapters

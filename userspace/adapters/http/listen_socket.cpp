// SPDX-License-Identifier: Apache-2.0
#include "adapters/http/listen_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace phalanx::adapters {
namespace {

constexpr int kBacklog = 64;
constexpr mode_t kSocketMask = 0117;  // leaves 0660

std::string because(int error) {
  return std::strerror(error);
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress socket_address(const core::Endpoint& endpoint) {
  SocketAddress address;
  if (endpoint.address.family == core::Family::ipv4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.address.bytes.data(), sizeof v4.sin_addr);
    std::memcpy(&address.storage, &v4, sizeof v4);
    address.length = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address.bytes.data(), sizeof v6.sin6_addr);
    std::memcpy(&address.storage, &v6, sizeof v6);
    address.length = sizeof v6;
  }
  return address;
}

SocketAddress socket_address(const std::string& path) {
  SocketAddress address;
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  path.copy(local.sun_path, sizeof local.sun_path - 1);
  std::memcpy(&address.storage, &local, sizeof local);
  address.length = sizeof local;
  return address;
}

std::string bind_failure(const std::string& name, int error) {
  const std::string attempt = "listen on " + name + ": ";
  switch (error) {
    case EADDRINUSE:
      return attempt +
             "the port is in use; stop the program that has it (ss -ltnp names it), or choose another "
             "port in \"node.http\"";
    case EADDRNOTAVAIL:
      return attempt + "this host does not have that address; correct \"node.http\"";
    case EACCES:
      return attempt + "ports below 1024 need CAP_NET_BIND_SERVICE; choose another port in \"node.http\"";
    default:
      return attempt + because(error);
  }
}

// Whether a process accepts connections on the socket file.
bool somebody_listens(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return true;
  }
  const SocketAddress address = socket_address(path);
  const bool refused = ::connect(fd, address.get(), address.length) != 0 && errno == ECONNREFUSED;
  ::close(fd);
  return !refused;
}

// Makes way for a new socket file.
Result<void> clear_path(const std::string& path) {
  struct stat existing {};
  if (::lstat(path.c_str(), &existing) != 0) {
    return errno == ENOENT ? Result<void>() : fail("listen on " + path + ": " + because(errno));
  }
  if (!S_ISSOCK(existing.st_mode)) {
    return fail("listen on " + path + ": it exists and is no socket; choose another path with --socket");
  }
  if (somebody_listens(path)) {
    return fail("listen on " + path +
                ": another process listens there; stop it, or choose another path with --socket");
  }
  if (::unlink(path.c_str()) != 0) {
    return fail("remove the stale socket " + path + ": " + because(errno));
  }
  return {};
}

}  // namespace

Result<ListenSocket> ListenSocket::tcp(const core::Endpoint& endpoint) {
  const std::string name = core::to_string(endpoint);
  const SocketAddress address = socket_address(endpoint);
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return fail("open a socket for " + name + ": " + because(errno));
  }
  ListenSocket socket(fd, name);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (address.storage.ss_family == AF_INET6) {
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  }
  if (::bind(fd, address.get(), address.length) != 0 || ::listen(fd, kBacklog) != 0) {
    return fail(bind_failure(name, errno));
  }
  return socket;
}

Result<ListenSocket> ListenSocket::unix_domain(const std::filesystem::path& path) {
  const std::string name = path.string();
  if (name.empty() || name.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail("listen on the Unix socket \"" + name + "\": its path must have 1 to " +
                std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                " bytes; choose another one with --socket");
  }
  std::error_code error;
  if (path.has_parent_path()) {
    std::filesystem::create_directories(path.parent_path(), error);
  }
  if (error) {
    return fail("make the directory of the socket " + name + ": " + error.message());
  }
  if (auto cleared = clear_path(name); !cleared) {
    return Failure(cleared.error());
  }
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return fail("open a socket for " + name + ": " + because(errno));
  }
  ListenSocket socket(fd, name);
  const SocketAddress address = socket_address(name);
  // The mask, and not a chmod later: the file never has a wider mode, not even for a moment.
  const mode_t before = ::umask(kSocketMask);
  const int bound = ::bind(fd, address.get(), address.length);
  const int bind_error = errno;
  ::umask(before);
  struct stat made {};
  if (bound != 0) {
    return fail("listen on " + name + ": " + because(bind_error));
  }
  if (::lstat(name.c_str(), &made) == 0) {
    socket.has_file_ = true;
    socket.device_ = made.st_dev;
    socket.inode_ = made.st_ino;
  }
  if (::listen(fd, kBacklog) != 0) {
    return fail("listen on " + name + ": " + because(errno));
  }
  return socket;
}

ListenSocket::ListenSocket(ListenSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      name_(std::move(other.name_)),
      has_file_(std::exchange(other.has_file_, false)),
      device_(other.device_),
      inode_(other.inode_) {}

ListenSocket::~ListenSocket() {
  struct stat now {};
  if (has_file_ && ::lstat(name_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_) {
    ::unlink(name_.c_str());
  }
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

std::uint16_t ListenSocket::port() const {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    return 0;
  }
  if (storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
  }
  return storage.ss_family == AF_INET6 ? ntohs(reinterpret_cast<const sockaddr_in6&>(storage).sin6_port)
                                       : std::uint16_t{0};
}

}  // namespace phalanx::adapters

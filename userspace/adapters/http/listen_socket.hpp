// SPDX-License-Identifier: Apache-2.0
// A listening stream socket: TCP, or Unix with a file that goes when the socket does.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "core/address.hpp"
#include "core/result.hpp"

namespace phalanx::adapters {

class ListenSocket {
 public:
  // Fails with a sentence that names the endpoint when the port is in use, the address is not this host's, or
  // a privilege is missing.
  static Result<ListenSocket> tcp(const core::Endpoint& endpoint);

  // Mode 0660. Missing parent directories are made. A socket file on which nobody listens is replaced; fails
  // when somebody does, when the path holds something else, or is longer than 107 bytes.
  static Result<ListenSocket> unix_domain(const std::filesystem::path& path);

  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&&) = delete;
  // Closes; removes the file if it is still the one made here.
  ~ListenSocket();

  int fd() const { return fd_; }
  // "127.0.0.1:9640" or the path.
  const std::string& name() const { return name_; }
  // TCP: the port in force, also where 0 was asked for.
  std::uint16_t port() const;

 private:
  ListenSocket(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

  int fd_ = -1;
  std::string name_;
  bool has_file_ = false;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "adapters/probe/socket_verdict.hpp"

#include <cerrno>
#include <cstring>

namespace phalanx::adapters {

namespace {

using core::Verdict;

// What the peer, or the way to it, has to say.
const char* said_by_the_peer(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "connection refused";
    case ECONNRESET:
    case EPIPE:
      return "connection reset";
    case ETIMEDOUT:
      return "connection timed out";
    default:
      return nullptr;
  }
}

bool of_this_host(int error) {
  switch (error) {
    case EADDRNOTAVAIL:
    case ENOBUFS:
    case ENOMEM:
    case ENETDOWN:
    case EPERM:
    case EACCES:
      return true;
    default:
      return false;
  }
}

}  // namespace

SocketVerdict local_error(int error, const char* what) {
  if (const char* reason = said_by_the_peer(error)) {
    return {Verdict::fail, reason, error != ETIMEDOUT};
  }
  return {Verdict::inconclusive, std::string(what) + " on this host: " + std::strerror(error)};
}

SocketVerdict remote_error(int error) {
  if (const char* reason = said_by_the_peer(error)) {
    return {Verdict::fail, reason, error != ETIMEDOUT};
  }
  if (of_this_host(error)) {
    return {Verdict::inconclusive, std::string("on this host: ") + std::strerror(error)};
  }
  switch (error) {
    case EHOSTUNREACH:
      return {Verdict::fail, "host unreachable", false};
    case ENETUNREACH:
      return {Verdict::fail, "network unreachable", false};
    default:
      return {Verdict::fail, std::strerror(error)};
  }
}

}  // namespace phalanx::adapters

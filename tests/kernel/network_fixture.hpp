// SPDX-License-Identifier: Apache-2.0
// A network namespace for tests of programs that ask the kernel for routes. It vanishes with the process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace phalanx::test {

// This process is in a namespace of its own as long as the object lives. There are two pairs of interfaces,
// of which this node has "clients" (192.0.2.1/24, 2001:db8:1::1/64) and "backends" (10.0.0.1/16, fd00::1/16),
// all up, and it forwards. No neighbour answers.
class Network {
 public:
  Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network();

  // Commands of ip, without their first word: by one process, which where the processor is emulated takes
  // half a second to start.
  static void ip(const std::vector<std::string>& commands);
  // key: with slashes. Written directly, for the same reason.
  static void set(const std::string& key, int value);
  static std::uint32_t interface(const std::string& name);
  // As the frames of the tests have it: 6 bytes, in a number.
  static std::uint64_t mac_of(const std::string& interface);

 private:
  int former_ = -1;
};

}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
// What tests of pins and links stand on: a bpffs and a network namespace of their own. Both belong to this
// process alone and vanish with it, however it ends.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "adapters/bpf/balancer_maps.hpp"
#include "adapters/bpf/descriptor.hpp"
#include "adapters/bpf/pin_directory.hpp"
#include "core/applied_state.hpp"

namespace phalanx::testing {

// Each test has an empty bpffs at mount(), and a fresh network namespace with the pair phx0, phx1, both up.
class PinTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  const std::string& mount() const { return mount_; }
  std::string path(const std::string& name) const { return mount_ + "/" + name; }
  adapters::PinDirectory locked(const std::string& name = "node") const;

 private:
  std::string mount_;
  adapters::Descriptor former_network_;
};

// Runs a command line, which has to succeed.
void run(const std::string& command);

// A process beside this one, ended with the object.
class Child {
 public:
  // body runs in the child and returns what result() gives; then the child waits to be ended.
  explicit Child(const std::function<std::string()>& body);
  ~Child() { kill(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& result() const { return result_; }
  void kill();

 private:
  pid_t pid_ = -1;
  std::string result_;
};

// One service of two backends that fits small limits.
core::AppliedState small_state();
core::Limits small_limits();

// The id of the program that an interface of this network namespace has, and 0 when it has none.
struct Attached {
  std::uint32_t native = 0;
  std::uint32_t generic = 0;
};
Attached attached_to(const std::string& interface);

}  // namespace phalanx::testing

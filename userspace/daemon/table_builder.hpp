// SPDX-License-Identifier: Apache-2.0
// Builds slot tables beside the loop, so that health events never wait for them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "adapters/bpf/descriptor.hpp"
#include "adapters/loop/event_loop.hpp"
#include "core/engine.hpp"
#include "core/result.hpp"

namespace phalanx::daemon {

// One proposal at a time. The worker touches nothing but the proposal that it was given.
class TableBuilder {
 public:
  using Done = std::function<void(core::Proposal)>;

  // Fails when the kernel refuses an eventfd.
  static Result<std::unique_ptr<TableBuilder>> open(adapters::EventLoop& loop);
  // Waits for a build that is under way.
  ~TableBuilder();

  bool busy() const { return worker_.joinable(); }
  // done is called on the loop's thread when every table is built. Must not be busy.
  void build(core::Proposal proposal, Done done);

 private:
  TableBuilder(adapters::EventLoop& loop, adapters::Descriptor wake);
  void finish();

  adapters::Descriptor wake_;
  adapters::EventLoop::Source source_;
  std::thread worker_;
  std::optional<core::Proposal> proposal_;
  Done done_;
};

}  // namespace phalanx::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/table_builder.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace phalanx::daemon {

Result<std::unique_ptr<TableBuilder>> TableBuilder::open(adapters::EventLoop& loop) {
  adapters::Descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) {
    return fail(std::string("make an eventfd: ") + std::strerror(errno) + "; raise the limit of open files");
  }
  return std::unique_ptr<TableBuilder>(new TableBuilder(loop, std::move(wake)));
}

TableBuilder::TableBuilder(adapters::EventLoop& loop, adapters::Descriptor wake)
    : wake_(std::move(wake)),
      source_(loop.watch(wake_.get(), EPOLLIN, [this](std::uint32_t) { finish(); })) {}

TableBuilder::~TableBuilder() {
  if (worker_.joinable()) {
    worker_.join();
  }
}

void TableBuilder::build(core::Proposal proposal, Done done) {
  PHX_CHECK(!busy());
  proposal_ = std::move(proposal);
  done_ = std::move(done);
  worker_ = std::thread([this] {
    for (core::TableBuild& build : proposal_->builds) {
      build.run();
    }
    const std::uint64_t one = 1;
    PHX_CHECK(::write(wake_.get(), &one, sizeof one) == sizeof one);
  });
}

void TableBuilder::finish() {
  std::uint64_t count = 0;
  if (::read(wake_.get(), &count, sizeof count) != sizeof count) {
    return;  // woken for nothing
  }
  worker_.join();
  auto done = std::exchange(done_, nullptr);
  done(*std::exchange(proposal_, std::nullopt));
}

}  // namespace phalanx::daemon

// SPDX-License-Identifier: Apache-2.0
// The state document in the pinned map `state`: two copies and a word that says which one is live.
#include <fmt/format.h>

#include <atomic>
#include <cstring>

#include "adapters/bpf/balancer_maps.hpp"
#include "adapters/state/state_document.hpp"

namespace phalanx::adapters {
namespace {

constexpr std::uint32_t kBytesAtLeast = 64 * 1024;
constexpr std::uint32_t kBytesPerService = 1024;
constexpr std::uint32_t kBytesPerBackend = 512;

// A reader that is overtaken by two commits while it copies begins anew.
constexpr int kReadAttempts = 100;

std::uint64_t which_copy(std::uint64_t live) {
  return live & 1;
}

}  // namespace

std::uint32_t state_copy_pages(const core::Limits& limits) {
  const std::uint64_t bytes = kBytesAtLeast + std::uint64_t{kBytesPerService} * limits.services +
                              std::uint64_t{kBytesPerBackend} * limits.backends;
  return static_cast<std::uint32_t>((bytes + PHX_STATE_PAGE - 1) / PHX_STATE_PAGE);
}

std::uint32_t state_pages(const core::Limits& limits) {
  return 1 + 2 * state_copy_pages(limits);
}

phx_state_header* BalancerMaps::header() const {
  return reinterpret_cast<phx_state_header*>(state_.read(0));
}

std::byte* BalancerMaps::copy(std::uint64_t which) const {
  return state_.read(static_cast<std::uint32_t>(1 + which * header()->copy_pages))->bytes;
}

std::uint32_t BalancerMaps::writer_pid() const {
  return header()->writer_pid;
}

Result<void> BalancerMaps::commit(const core::AppliedState& state) {
  phx_state_header* head = reinterpret_cast<phx_state_header*>(state_.write(0));
  const std::string document = write_state(state);
  const std::size_t room = std::size_t{head->copy_pages} * PHX_STATE_PAGE;
  if (document.size() > room) {
    return fail(
        fmt::format("keep the applied configuration in {}: it takes {} bytes and there is room for {}; "
                    "raise \"node.limits.services\" or \"node.limits.backends\", then phalanx down and up",
                    where_, document.size(), room));
  }
  std::atomic_ref<__u64> live(head->live);
  const std::uint64_t former = live.load(std::memory_order_relaxed);
  const std::uint64_t which = 1 - which_copy(former);
  std::memcpy(copy(which), document.data(), document.size());
  head->length[which] = document.size();
  // Rises with every commit, also where the configuration's generation does not: readers go by it.
  live.store(((former >> 1) + 1) << 1 | which, std::memory_order_release);
  // Only now is there something to adopt.
  std::atomic_ref<__u64>(head->magic).store(PHX_STATE_MAGIC, std::memory_order_release);
  return {};
}

Result<std::string> BalancerMaps::read_document() const {
  const std::size_t room = std::size_t{header()->copy_pages} * PHX_STATE_PAGE;
  std::atomic_ref<__u64> live(header()->live);
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    const std::uint64_t before = live.load(std::memory_order_acquire);
    const std::uint64_t length = header()->length[which_copy(before)];
    if (length > room) {
      return fail(
          fmt::format("read the state pinned in {}: it is damaged (a document of {} bytes in room for {}); "
                      "\"phalanx down\" removes it",
                      where_, length, room));
    }
    std::string document(reinterpret_cast<const char*>(copy(which_copy(before))), length);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (live.load(std::memory_order_relaxed) == before) {
      return document;
    }
  }
  return fail(fmt::format(
      "read the state pinned in {}: its writer changes it faster than it can be read; try again", where_));
}

Result<core::AppliedState> BalancerMaps::load_state() const {
  if (std::atomic_ref<__u64>(header()->magic).load(std::memory_order_acquire) != PHX_STATE_MAGIC) {
    return fail(fmt::format("read the state pinned in {}: none was committed yet", where_));
  }
  const Result<std::string> document = read_document();
  if (!document) {
    return Failure(document.error());
  }
  Result<core::AppliedState> state = read_state(*document);
  if (!state) {
    return fail(fmt::format("read the state pinned in {}: {}; \"phalanx down\" removes it", where_,
                            state.error().message));
  }
  return state;
}

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
// TCP-connect and HTTP probes, thousands at once, on the daemon's loop.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "adapters/loop/event_loop.hpp"
#include "adapters/probe/socket_verdict.hpp"
#include "core/result.hpp"
#include "ports/prober.hpp"

namespace phalanx::adapters {

// Rules:
//   - A TCP probe passes when the connection is established, an HTTP probe when the status line of the final
//     answer is one that the check expects. What follows the status line is not read.
//   - check.timeout is the deadline of the whole attempt, from start() on. It fails then, unless this process
//     itself noticed the deadline so late that the answer may have waited for it: that is inconclusive.
//   - Errors: see socket_verdict.hpp.
//   - Connections are ended by a reset (SO_LINGER 0): neither side keeps a TIME_WAIT, so that neither ports
//     here nor memory on the backend are used up by probing often. A server that had not accepted yet, or was
//     still writing, sees ECONNRESET.
//   - Sockets live in an epoll set of their own, one descriptor to the loop, and deadlines in one timer: a
//     probe costs its socket's system calls and little else.
class LoopProber final : public ports::Prober {
 public:
  // sink is called from the loop; it may start and abandon attempts. Fails where the kernel gives no epoll
  // descriptor.
  static Result<std::unique_ptr<LoopProber>> open(EventLoop& loop, Sink sink);
  ~LoopProber() override;
  LoopProber(const LoopProber&) = delete;
  LoopProber& operator=(const LoopProber&) = delete;

  void start(const ports::ProbeRequest& request) override;
  void abandon(std::uint64_t attempt) override;

  std::size_t in_flight() const { return attempts_.size(); }

 private:
  struct Attempt;

  LoopProber(EventLoop& loop, Sink sink, int epoll);

  void begin(Attempt& attempt, std::uint64_t id, const core::Endpoint& target);
  // Whether there may be more.
  bool read_ready();
  void on_ready(std::uint64_t id, Attempt& attempt);
  void on_connected(std::uint64_t id, Attempt& attempt);
  void send_request(std::uint64_t id, Attempt& attempt);
  void read_answer(std::uint64_t id, Attempt& attempt);
  void fail_by(std::uint64_t id, int error);
  void set_deadline(std::uint64_t id, Attempt& attempt, SteadyTime deadline);
  void arm();
  void expire();
  void expire_one(std::uint64_t id, SteadyTime now);
  std::unique_ptr<Attempt> forget(std::uint64_t id);
  void finish(std::uint64_t id, SocketVerdict verdict);

  Sink sink_;
  int epoll_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Attempt>> attempts_;
  std::set<std::pair<SteadyTime, std::uint64_t>> deadlines_;
  SteadyTime armed_ = SteadyTime::max();
  EventLoop::Source readable_;
  EventLoop::Source timer_;
};

}  // namespace phalanx::adapters

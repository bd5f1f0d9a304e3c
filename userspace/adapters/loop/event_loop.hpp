// SPDX-License-Identifier: Apache-2.0
// The one loop of the daemon: descriptors, timers and signals on a single thread, over sd-event (libsystemd).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "core/result.hpp"

struct sd_event;
struct sd_event_source;

namespace phalanx::adapters {

using SteadyTime = std::chrono::steady_clock::time_point;

class EventLoop {
 public:
  // Keeps one registration alive; destroying it ends the registration, also from inside its own callback.
  class [[nodiscard]] Source {
   public:
    struct Registration;

    Source();
    Source(Source&&) noexcept;
    Source& operator=(Source&&) noexcept;
    ~Source();

    explicit operator bool() const { return registration_ != nullptr; }
    void reset();
    // Timers: fires once, at that time; may be armed again at any time. After run() has returned, arming
    // does nothing.
    void arm(SteadyTime time);
    // Idle work: runs once, when nothing else is pending; may be armed again from its own callback.
    void arm();
    // Timers and idle work: does not run until armed again.
    void disarm();
    // Descriptors only: the EPOLL* events to wait for from now on.
    void set_events(std::uint32_t events);

   private:
    friend class EventLoop;
    explicit Source(std::unique_ptr<Registration> registration);
    std::unique_ptr<Registration> registration_;
  };

  // Fails when the kernel refuses an epoll descriptor.
  static Result<std::unique_ptr<EventLoop>> open();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // callback gets the EPOLL* events that came. The descriptor stays the caller's. A kernel that can't watch
  // it (a regular file, no memory) is a programmer error.
  Source watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> callback);
  // Disarmed until Source::arm().
  Source timer(std::function<void()> callback);
  // Blocks the signal for the process and delivers it from the loop.
  Source on_signal(int signal, std::function<void()> callback);
  // Work that yields to every descriptor, timer and signal: disarmed until Source::arm().
  Source idle(std::function<void()> callback);

  // Until stop(). Returns what stop() was given.
  int run();
  void stop(int exit_code);
  // Handles what is pending, waiting at most `wait` for something.
  void run_once(std::chrono::milliseconds wait);

 private:
  explicit EventLoop(sd_event* event) : event_(event) {}
  sd_event* event_;
};

}  // namespace phalanx::adapters

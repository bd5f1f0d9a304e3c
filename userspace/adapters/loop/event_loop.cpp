// SPDX-License-Identifier: Apache-2.0
#include "adapters/loop/event_loop.hpp"

#include <systemd/sd-event.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace phalanx::adapters {

struct EventLoop::Source::Registration {
  sd_event_source* source = nullptr;
  std::function<void(std::uint32_t)> on_descriptor;
  std::function<void()> on_event;

  ~Registration() {
    if (source != nullptr) {
      sd_event_source_disable_unref(source);
    }
  }
};

namespace {

using Registration = EventLoop::Source::Registration;

// The callback is copied before the call: it may destroy its own Source.
void run_event(void* data) {
  auto callback = static_cast<Registration*>(data)->on_event;
  callback();
}

int descriptor_event(sd_event_source*, int, std::uint32_t events, void* data) {
  auto callback = static_cast<Registration*>(data)->on_descriptor;
  callback(events);
  return 0;
}

int timer_event(sd_event_source*, std::uint64_t, void* data) {
  run_event(data);
  return 0;
}

int signal_event(sd_event_source*, const struct signalfd_siginfo*, void* data) {
  run_event(data);
  return 0;
}

int idle_event(sd_event_source*, void* data) {
  run_event(data);
  return 0;
}

std::uint64_t microseconds(SteadyTime time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count());
}

constexpr std::uint64_t kTimerAccuracyUs = 100;

// Once run() has returned, sd-event refuses changes with ESTALE; whoever still says goodbye may try.
bool done_or_ended(int result) {
  return result >= 0 || result == -ESTALE;
}

}  // namespace

EventLoop::Source::Source() = default;
EventLoop::Source::Source(std::unique_ptr<Registration> registration)
    : registration_(std::move(registration)) {}
EventLoop::Source::Source(Source&&) noexcept = default;
EventLoop::Source& EventLoop::Source::operator=(Source&&) noexcept = default;
EventLoop::Source::~Source() = default;

void EventLoop::Source::reset() {
  registration_.reset();
}

void EventLoop::Source::arm(SteadyTime time) {
  PHX_CHECK(registration_ != nullptr);
  PHX_CHECK(done_or_ended(sd_event_source_set_time(registration_->source, microseconds(time))));
  arm();
}

void EventLoop::Source::arm() {
  PHX_CHECK(registration_ != nullptr);
  PHX_CHECK(done_or_ended(sd_event_source_set_enabled(registration_->source, SD_EVENT_ONESHOT)));
}

void EventLoop::Source::disarm() {
  PHX_CHECK(registration_ != nullptr);
  PHX_CHECK(sd_event_source_set_enabled(registration_->source, SD_EVENT_OFF) >= 0);
}

void EventLoop::Source::set_events(std::uint32_t events) {
  PHX_CHECK(registration_ != nullptr);
  PHX_CHECK(sd_event_source_set_io_events(registration_->source, events) >= 0);
}

Result<std::unique_ptr<EventLoop>> EventLoop::open() {
  sd_event* event = nullptr;
  if (const int error = sd_event_new(&event); error < 0) {
    return fail(std::string("open the event loop: ") + std::strerror(-error) +
                "; raise the limit of open files (RLIMIT_NOFILE)");
  }
  return std::unique_ptr<EventLoop>(new EventLoop(event));
}

EventLoop::~EventLoop() {
  sd_event_unref(event_);
}

EventLoop::Source EventLoop::watch(int fd, std::uint32_t events,
                                   std::function<void(std::uint32_t)> callback) {
  auto registration = std::make_unique<Registration>();
  registration->on_descriptor = std::move(callback);
  PHX_CHECK(
      sd_event_add_io(event_, &registration->source, fd, events, descriptor_event, registration.get()) >= 0);
  return Source(std::move(registration));
}

EventLoop::Source EventLoop::timer(std::function<void()> callback) {
  auto registration = std::make_unique<Registration>();
  registration->on_event = std::move(callback);
  PHX_CHECK(sd_event_add_time(event_, &registration->source, CLOCK_MONOTONIC, 0, kTimerAccuracyUs,
                              timer_event, registration.get()) >= 0);
  Source source(std::move(registration));
  source.disarm();
  return source;
}

EventLoop::Source EventLoop::on_signal(int signal, std::function<void()> callback) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  PHX_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  auto registration = std::make_unique<Registration>();
  registration->on_event = std::move(callback);
  PHX_CHECK(sd_event_add_signal(event_, &registration->source, signal, signal_event, registration.get()) >=
            0);
  return Source(std::move(registration));
}

EventLoop::Source EventLoop::idle(std::function<void()> callback) {
  auto registration = std::make_unique<Registration>();
  registration->on_event = std::move(callback);
  PHX_CHECK(sd_event_add_defer(event_, &registration->source, idle_event, registration.get()) >= 0);
  PHX_CHECK(sd_event_source_set_priority(registration->source, SD_EVENT_PRIORITY_IDLE) >= 0);
  Source source(std::move(registration));
  source.disarm();
  return source;
}

int EventLoop::run() {
  const int code = sd_event_loop(event_);
  PHX_CHECK(code >= 0);
  return code;
}

void EventLoop::stop(int exit_code) {
  sd_event_exit(event_, exit_code);
}

void EventLoop::run_once(std::chrono::milliseconds wait) {
  PHX_CHECK(sd_event_run(event_, static_cast<std::uint64_t>(wait.count()) * 1000) >= 0);
}

}  // namespace phalanx::adapters

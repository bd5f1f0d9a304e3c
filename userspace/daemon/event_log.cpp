// SPDX-License-Identifier: Apache-2.0
#include "daemon/event_log.hpp"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "adapters/view/timestamp.hpp"
#include "adapters/view/views.hpp"

namespace phalanx::daemon {

namespace {

nlohmann::json text_or_null(const std::string& text) {
  return text.empty() ? nlohmann::json() : nlohmann::json(text);
}

std::string sentence(const core::Announce& event) {
  std::string text = event.type;
  if (!event.service.empty()) {
    text += " " + event.service + (event.backend.empty() ? "" : "/" + event.backend);
  }
  if (!event.from.empty() || !event.to.empty()) {
    text += ": " + event.from + (event.from.empty() ? "" : " -> ") + event.to;
  }
  return text + (event.reason.empty() ? "" : " (" + event.reason + ")");
}

}  // namespace

void EventLog::add(const core::Announce& event) {
  const auto time_ns = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(event.time.time_since_epoch()).count());
  nlohmann::json line{{"time", adapters::format_time(time_ns)},
                      {"node", node_},
                      {"type", event.type},
                      {"service", text_or_null(event.service)},
                      {"backend", text_or_null(event.backend)},
                      {"from", text_or_null(event.from)},
                      {"to", text_or_null(event.to)},
                      {"reason", event.reason}};
  lines_.push_back({time_ns, adapters::write_json(line)});
  if (lines_.size() > capacity_) {
    lines_.pop_front();
  }
  spdlog::info("{}", sentence(event));
  // A follower may leave while it is told.
  const auto followers = followers_;
  for (const auto& [id, follower] : followers) {
    if (followers_.contains(id)) {
      follower(lines_.back().text);
    }
  }
}

std::uint64_t EventLog::follow(Follower follower) {
  followers_.emplace(++last_id_, std::move(follower));
  return last_id_;
}

void EventLog::unfollow(std::uint64_t id) {
  followers_.erase(id);
}

}  // namespace phalanx::daemon

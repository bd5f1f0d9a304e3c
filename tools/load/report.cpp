// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace phalanx::load {
namespace {

using Json = nlohmann::ordered_json;

std::int64_t ns(Time time) {
  return time.time_since_epoch().count();
}

double ms(std::chrono::nanoseconds length) {
  return static_cast<double>(length.count()) / 1e6;
}

// An answer's body is whatever the server sent: bytes that are no UTF-8 are replaced, not thrown at us.
std::string text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json request_line(std::string_view type, const Request& request) {
  return {{"type", type},
          {"connection", request.connection},
          {"local_port", request.local_port},
          {"backend", request.backend},
          {"begin_ns", ns(request.begin)},
          {"end_ns", ns(request.end)}};
}

}  // namespace

void Report::Tally::count_gap(Time until) {
  phase_gap = std::max<std::chrono::nanoseconds>(phase_gap, until - last_success);
  if (until - last_success <= longest_gap) return;
  longest_gap = until - last_success;
  gap_begin = last_success;
}

Report::Report(const Options& options, Time start)
    : options_(options), start_(start), connections_(options.connections) {
  for (Tally& tally : connections_) tally.last_success = start;
  overall_.last_success = start;
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  Json targets = Json::array();
  for (const Target& target : options.targets) targets.push_back(target.text);
  write_line(text({{"type", "start"},
                   {"monotonic_ns", ns(Clock::now())},
                   {"wall_ns", std::chrono::nanoseconds(wall).count()},
                   {"targets", targets},
                   {"connections", options.connections},
                   {"interval_ms", options.interval.count()},
                   {"timeout_ms", options.timeout.count()}}));
}

void Report::success(const Request& request) {
  for (Tally* tally : {&connections_[request.connection], &overall_}) {
    ++tally->succeeded;
    tally->count_gap(request.end);
    tally->last_success = request.end;
  }
  const auto took = request.end - request.begin;
  slowest_ = std::max<std::chrono::nanoseconds>(slowest_, took);
  if (took >= options_.slow) {
    write_line(text(request_line("slow", request)));
  } else if (options_.every_request) {
    write_line(text(request_line("success", request)));
  }
}

void Report::failure(const Request& request, std::string_view stage, std::string_view reason) {
  ++connections_[request.connection].failed;
  ++overall_.failed;
  Json line = request_line("failure", request);
  line["stage"] = stage;
  line["reason"] = reason;
  write_line(text(line));
}

void Report::established(const Request& request) {
  Tally& tally = connections_[request.connection];
  tally.backend = request.backend;
  if (options_.fresh) return;  // every request establishes one: of interest are those that could not
  tally.backends.push_back(request.backend);
  write_line(text(request_line("established", request)));
}

void Report::ended(const Request& request) {
  connections_[request.connection].backend.clear();
  write_line(text(request_line("ended", request)));
}

void Report::broken(const Request& request, std::string_view reason) {
  Tally& tally = connections_[request.connection];
  tally.backend.clear();
  tally.breaks.push_back({request.end, request.backend, std::string(reason)});
  ++breaks_;
  Json line = request_line("broken", request);
  line["reason"] = reason;
  write_line(text(line));
}

void Report::stalled(std::chrono::nanoseconds away) {
  longest_stall_ = std::max(longest_stall_, away);
}

void Report::progress(Time now) {
  std::map<std::string, std::size_t> backends;
  std::chrono::nanoseconds longest{0};
  for (const Tally& tally : connections_) {
    ++backends[tally.backend];
    longest =
        std::max(longest, std::max<std::chrono::nanoseconds>(tally.longest_gap, now - tally.last_success));
  }
  write_line(text({{"type", "progress"},
                   {"monotonic_ns", ns(now)},
                   {"succeeded", overall_.succeeded - succeeded_at_last_progress_},
                   {"failed", overall_.failed - failed_at_last_progress_},
                   {"succeeded_so_far", overall_.succeeded},
                   {"failed_so_far", overall_.failed},
                   {"breaks_so_far", breaks_},
                   {"longest_gap_ms", ms(longest)},
                   {"backends", backends}}));
  succeeded_at_last_progress_ = overall_.succeeded;
  failed_at_last_progress_ = overall_.failed;
}

void Report::phase(Time now) {
  std::chrono::nanoseconds longest{0};
  for (Tally& tally : connections_) {
    tally.count_gap(now);
    longest = std::max(longest, tally.phase_gap);
    tally.phase_gap = std::chrono::nanoseconds(0);
  }
  write_line(text({{"type", "phase"},
                   {"monotonic_ns", ns(now)},
                   {"succeeded", overall_.succeeded - succeeded_at_last_phase_},
                   {"failed", overall_.failed - failed_at_last_phase_},
                   {"breaks", breaks_ - breaks_at_last_phase_},
                   {"longest_gap_ms", ms(longest)}}));
  succeeded_at_last_phase_ = overall_.succeeded;
  failed_at_last_phase_ = overall_.failed;
  breaks_at_last_phase_ = breaks_;
}

void Report::summary(Time now) {
  Json list = Json::array();
  std::chrono::nanoseconds longest{0};
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    Tally& tally = connections_[i];
    tally.count_gap(now);
    longest = std::max(longest, tally.longest_gap);
    Json breaks = Json::array();
    for (const Break& b : tally.breaks) {
      breaks.push_back({{"at_ns", ns(b.at)}, {"backend", b.backend}, {"reason", b.reason}});
    }
    list.push_back({{"connection", i},
                    {"target", options_.targets[i % options_.targets.size()].text},
                    {"succeeded", tally.succeeded},
                    {"failed", tally.failed},
                    {"backends", tally.backends},
                    {"breaks", breaks},
                    {"longest_gap_ms", ms(tally.longest_gap)},
                    {"gap_begin_ns", ns(tally.gap_begin)}});
  }
  overall_.count_gap(now);
  const double seconds = std::chrono::duration<double>(now - start_).count();
  write_line(
      text({{"type", "summary"},
            {"begin_ns", ns(start_)},
            {"end_ns", ns(now)},
            {"requests", overall_.succeeded + overall_.failed},
            {"succeeded", overall_.succeeded},
            {"failed", overall_.failed},
            {"breaks", breaks_},
            {"requests_per_second", static_cast<double>(overall_.succeeded + overall_.failed) / seconds},
            {"slowest_success_ms", ms(slowest_)},
            {"longest_gap_ms", ms(longest)},
            {"longest_gap_overall_ms", ms(overall_.longest_gap)},
            {"longest_client_stall_ms", ms(longest_stall_)},
            {"connections", list}}));
}

void Report::write_line(const std::string& line) {
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() || std::fputc('\n', stdout) == EOF ||
      std::fflush(stdout) != 0) {
    written_ = false;
  }
}

}  // namespace phalanx::load

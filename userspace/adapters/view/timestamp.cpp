// SPDX-License-Identifier: Apache-2.0
#include "adapters/view/timestamp.hpp"

#include <chrono>
#include <cstdio>

namespace phalanx::adapters {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr std::uint64_t kNsPerMillisecond = 1'000'000;

// Takes `digits` decimal digits off the front.
std::optional<unsigned> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) {
    return std::nullopt;
  }
  unsigned value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') {
      return std::nullopt;
    }
    value = value * 10 + static_cast<unsigned>(text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

// A number followed by one of `separators`.
std::optional<unsigned> take_part(std::string_view& text, std::size_t digits, std::string_view separators) {
  const auto value = take_number(text, digits);
  if (!value || text.empty() || separators.find(text.front()) == std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(1);
  return value;
}

// What follows the seconds: "Z" or ".123Z". In ns.
std::optional<std::uint64_t> fraction_of(std::string_view text) {
  std::uint64_t fraction = 0;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    std::uint64_t unit = kNsPerSecond;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9' && unit > 1) {
      unit /= 10;
      fraction += unit * static_cast<std::uint64_t>(text.front() - '0');
      text.remove_prefix(1);
    }
    if (unit == kNsPerSecond) {
      return std::nullopt;
    }
  }
  return text == "Z" || text == "z" ? std::optional(fraction) : std::nullopt;
}

}  // namespace

std::string format_time(std::uint64_t since_epoch_ns) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(since_epoch_ns / kNsPerMillisecond)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

std::optional<std::uint64_t> parse_time(std::string_view text) {
  using namespace std::chrono;
  const auto year_number = take_part(text, 4, "-");
  const auto month_number = year_number ? take_part(text, 2, "-") : std::nullopt;
  const auto day_number = month_number ? take_part(text, 2, "Tt ") : std::nullopt;
  const auto hour = day_number ? take_part(text, 2, ":") : std::nullopt;
  const auto minute = hour ? take_part(text, 2, ":") : std::nullopt;
  const auto second = minute ? take_number(text, 2) : std::nullopt;
  const auto fraction = second ? fraction_of(text) : std::nullopt;
  // 60 is a leap second (RFC 3339 section 5.7); the clock counts it as the next one.
  if (!fraction || *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  const year_month_day date(year(static_cast<int>(*year_number)), month(*month_number), day(*day_number));
  if (!date.ok() || *year_number < 1970 || *year_number > 2261) {
    return std::nullopt;
  }
  const auto seconds_since =
      (sys_days(date) + hours(*hour) + minutes(*minute) + seconds(*second)).time_since_epoch();
  return static_cast<std::uint64_t>(duration_cast<seconds>(seconds_since).count()) * kNsPerSecond + *fraction;
}

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
// Points in time as people and programs exchange them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace phalanx::adapters {

// since_epoch_ns: wall clock, ns since 1970. Returns RFC 3339 in UTC with milliseconds, rounded down:
// "2026-03-01T12:00:00.123Z".
std::string format_time(std::uint64_t since_epoch_ns);

// Reads RFC 3339 section 5.6 in UTC ("Z", either case), 1970 to 2261, with up to nine digits of a fraction.
// Absent where the text is anything else.
std::optional<std::uint64_t> parse_time(std::string_view text);

}  // namespace phalanx::adapters

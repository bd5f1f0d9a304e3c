// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "adapters/view/timestamp.hpp"

namespace phalanx::adapters {
namespace {

TEST(Timestamp, is_rfc_3339_in_utc_with_milliseconds) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_time(1'772'366'400'123'999'999), "2026-03-01T12:00:00.123Z");
  EXPECT_EQ(format_time(1'709'208'000'007'000'000), "2024-02-29T12:00:00.007Z");
}

TEST(Timestamp, reads_what_it_writes) {
  EXPECT_EQ(parse_time("2026-03-01T12:00:00.123Z"), 1'772'366'400'123'000'000u);
  EXPECT_EQ(parse_time("2026-03-01T12:00:00Z"), 1'772'366'400'000'000'000u);
  EXPECT_EQ(parse_time("2026-03-01t12:00:00.123456789z"), 1'772'366'400'123'456'789u);
}

TEST(Timestamp, refuses_what_is_no_time) {
  for (const char* text :
       {"", "now", "2026-03-01", "2026-03-01T12:00:00", "2026-02-30T12:00:00Z", "2026-13-01T12:00:00Z",
        "2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z", "2026-03-01T12:00:00.Z",
        "2026-03-01T12:00:00.1234567890Z", "2026-03-01T12:00:00Zx", "1969-12-31T23:59:59Z",
        "+026-03-01T12:00:00Z", "2026-03-01T12:00:00+01:00"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

}  // namespace
}  // namespace phalanx::adapters

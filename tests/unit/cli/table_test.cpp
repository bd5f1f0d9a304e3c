// SPDX-License-Identifier: Apache-2.0
#include "cli/table.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace phalanx::cli {
namespace {

Table backends() {
  return Table({{"NAME", Column::Align::left, Column::Cut::middle},
                {"SLOTS", Column::Align::right},
                {"REASON", Column::Align::left, Column::Cut::end}});
}

TEST(Table, aligns_columns_under_their_titles) {
  Table table = backends();
  table.add({"web-1", "32768", ""});
  table.add({"b", "7", "no answer"});
  EXPECT_EQ(table.text(80),
            "NAME   SLOTS  REASON\n"
            "web-1  32768\n"
            "b          7  no answer\n");
}

TEST(Table, a_name_that_does_not_fit_keeps_both_ends_and_a_sentence_its_beginning) {
  Table table = backends();
  table.add({"backend-of-the-first-rack-0001", "1", "connection refused by the host, again and again"});
  EXPECT_EQ(table.text(40),
            "NAME             SLOTS  REASON\n"
            "backend\u2026ck-0001      1  connection refu\u2026\n")
      << table.text(40);
}

TEST(Table, no_line_is_longer_than_the_width) {
  Table table = backends();
  table.add({std::string(300, 'n'), "4294967295", std::string(300, 'r')});
  for (const std::size_t width : {40u, 80u, 120u}) {
    std::istringstream lines(table.text(width));
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(display_width(line), width);
    }
  }
}

TEST(Table, characters_count_and_not_bytes) {
  Table table = backends();
  table.add({"\u00fc\u00fc\u00fc\u00fc\u00fc", "1", "x"});
  EXPECT_EQ(table.text(80),
            "NAME   SLOTS  REASON\n"
            "\u00fc\u00fc\u00fc\u00fc\u00fc      1  x\n");
}

TEST(Table, nothing_in_a_cell_moves_the_cursor) {
  Table table = backends();
  table.add({"a\x1b[2Jb", "1", "one\ntwo"});
  EXPECT_EQ(table.text(80).find('\x1b'), std::string::npos);
  EXPECT_NE(table.text(80).find("one?two"), std::string::npos);
}

}  // namespace
}  // namespace phalanx::cli

// SPDX-License-Identifier: Apache-2.0
// Aligned columns that fit a width.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace phalanx::cli {

struct Column {
  enum class Align { left, right };
  // How a value that does not fit is shortened. The ends of names and addresses tell them apart, so those
  // lose their middle; sentences lose their end.
  enum class Cut { never, middle, end };

  std::string title;
  Align align = Align::left;
  Cut cut = Cut::never;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as columns. Control characters are shown as "?".
  void add(std::vector<std::string> cells);

  // Lines of at most `width` characters, as long as the columns that may not be cut leave 4 for each other
  // one.
  std::string text(std::size_t width) const;

 private:
  std::vector<std::size_t> widths(std::size_t width) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Characters (code points) of UTF-8 text.
std::size_t display_width(std::string_view text);

}  // namespace phalanx::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/table.hpp"

#include <algorithm>
#include <utility>

#include "core/result.hpp"

namespace phalanx::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 4;
constexpr const char* kEllipsis = "\u2026";

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// The first `count` characters.
std::string first(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  while (end < text.size() && (continues_character(text[end]) || count-- > 0)) {
    ++end;
  }
  return std::string(text.substr(0, end));
}

// The last `count` characters.
std::string last(std::string_view text, std::size_t count) {
  std::size_t begin = text.size();
  while (begin > 0 && count > 0) {
    --begin;
    count -= continues_character(text[begin]) ? 0U : 1U;
  }
  return std::string(text.substr(begin));
}

std::string shorten(const std::string& text, std::size_t width, Column::Cut cut) {
  if (display_width(text) <= width || cut == Column::Cut::never) {
    return text;
  }
  if (cut == Column::Cut::end) {
    return first(text, width - 1) + kEllipsis;
  }
  const std::size_t tail = (width - 1) / 2;
  return first(text, width - 1 - tail) + kEllipsis + last(text, tail);
}

void append(std::string& line, const std::string& cell, const Column& column, std::size_t width) {
  const std::size_t shown = display_width(cell);
  const std::string padding(width > shown ? width - shown : 0, ' ');
  line += column.align == Column::Align::right ? padding + cell : cell + padding;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues_character(c); }));
}

void Table::add(std::vector<std::string> cells) {
  PHX_CHECK(cells.size() == columns_.size());
  for (std::string& cell : cells) {
    std::replace_if(
        cell.begin(), cell.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; },
        '?');
  }
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::widths(std::size_t width) const {
  std::vector<std::size_t> widths;
  std::size_t total = kGap * (columns_.size() - 1);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = display_width(columns_[i].title);
    for (const auto& row : rows_) {
      widest = std::max(widest, display_width(row[i]));
    }
    widths.push_back(widest);
    total += widest;
  }
  // The widest column that may be cut gives way, a character at a time.
  while (total > width) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].cut != Column::Cut::never && widths[i] > kNarrowest &&
          (widest == nullptr || widths[i] > *widest)) {
        widest = &widths[i];
      }
    }
    if (widest == nullptr) {
      break;
    }
    --*widest;
    --total;
  }
  return widths;
}

std::string Table::text(std::size_t width) const {
  const std::vector<std::size_t> fitted = widths(width);
  std::string text;
  const auto add_line = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      line += i > 0 ? std::string(kGap, ' ') : "";
      append(line, shorten(cell_of(i), fitted[i], columns_[i].cut), columns_[i], fitted[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add_line([this](std::size_t i) { return columns_[i].title; });
  for (const auto& row : rows_) {
    add_line([&row](std::size_t i) { return row[i]; });
  }
  return text;
}

}  // namespace phalanx::cli

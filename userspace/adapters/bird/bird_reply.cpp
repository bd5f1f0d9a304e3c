// SPDX-License-Identifier: Apache-2.0
#include "adapters/bird/bird_reply.hpp"

#include <algorithm>
#include <utility>

namespace phalanx::adapters {

namespace {

constexpr std::size_t kCodeDigits = 4;

bool has_code(std::string_view line) {
  return line.size() > kCodeDigits && (line[kCodeDigits] == ' ' || line[kCodeDigits] == '-') &&
         std::all_of(line.begin(), line.begin() + kCodeDigits, [](char c) { return c >= '0' && c <= '9'; });
}

int code_of(std::string_view line) {
  int code = 0;
  for (const char digit : line.substr(0, kCodeDigits)) {
    code = code * 10 + (digit - '0');
  }
  return code;
}

bool is_line_of_bird(std::string_view line) {
  return has_code(line) || line.starts_with(' ') || line.starts_with('+');
}

}  // namespace

bool BirdReplies::feed(std::string_view bytes) {
  buffer_ += bytes;
  std::size_t begin = 0;
  for (std::size_t end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n', begin)) {
    if (!is_line_of_bird(std::string_view(buffer_).substr(begin, end - begin))) {
      return false;
    }
    begin = end + 1;
  }
  return buffer_.size() - begin <= kLongestLine;
}

std::optional<BirdReply> BirdReplies::next() {
  for (std::size_t end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n')) {
    const std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    if (!has_code(line)) {
      continue;
    }
    const int code = code_of(line);
    if (code != 0) {
      open_ = {code, line.substr(kCodeDigits + 1)};
    }
    if (line[kCodeDigits] == ' ') {
      return std::exchange(open_, {});
    }
  }
  return std::nullopt;
}

}  // namespace phalanx::adapters

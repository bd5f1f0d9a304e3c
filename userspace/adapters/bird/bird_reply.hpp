// SPDX-License-Identifier: Apache-2.0
// What BIRD answers on its control socket (its manual, "Remote control"; BIRD 2.0 and newer): lines that
// begin with a code of four digits. "NNNN-text" is followed by more, " text" belongs to the line before,
// "NNNN text" ends the reply, "+text" is a log line that has nothing to do with it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace phalanx::adapters {

struct BirdReply {
  int code = 0;      // of the line that ended it; 0000 where that only says so: then of the line before
  std::string text;  // of that line
};

// Codes: their first digit is 0 for success, 8 for a failure while running, 9 for a command not understood.
inline constexpr int kBirdWelcome = 1;
inline constexpr int kBirdAlreadyDisabled = 8;
inline constexpr int kBirdDisabled = 9;
inline constexpr int kBirdAlreadyEnabled = 10;
inline constexpr int kBirdEnabled = 11;

class BirdReplies {
 public:
  // Longer lines are none of BIRD's.
  static constexpr std::size_t kLongestLine = 4096;

  // Takes what was read. False when it can't be BIRD that talks: then no more replies come.
  bool feed(std::string_view bytes);
  // The next whole reply.
  std::optional<BirdReply> next();

 private:
  std::string buffer_;
  BirdReply open_;
};

}  // namespace phalanx::adapters

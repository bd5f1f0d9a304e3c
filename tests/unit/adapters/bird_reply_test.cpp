// SPDX-License-Identifier: Apache-2.0
#include "adapters/bird/bird_reply.hpp"

#include <gtest/gtest.h>

namespace phalanx::adapters {
namespace {

TEST(BirdReply, a_reply_that_comes_byte_by_byte_is_whole_at_its_last_line) {
  BirdReplies replies;
  const std::string text = "0011-phalanx4: enabled\n0000 \n";
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_FALSE(replies.next()) << i;
    ASSERT_TRUE(replies.feed(text.substr(i, 1)));
  }
  const auto reply = replies.next();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->code, kBirdEnabled);
  EXPECT_EQ(reply->text, "phalanx4: enabled");
  EXPECT_FALSE(replies.next());
}

TEST(BirdReply, several_replies_in_one_piece_come_one_by_one) {
  BirdReplies replies;
  ASSERT_TRUE(replies.feed(
      "0001 BIRD 2.0.12 ready.\n+a line of the log\n9001 syntax error\n0008-a: off\n b: off\n0000 \n"));
  EXPECT_EQ(replies.next()->code, kBirdWelcome);
  EXPECT_EQ(replies.next()->text, "syntax error");
  EXPECT_EQ(replies.next()->code, kBirdAlreadyDisabled);
  EXPECT_FALSE(replies.next());
}

TEST(BirdReply, what_is_not_bird_is_refused) {
  for (const char* text : {"HTTP/1.1 400 Bad Request\r\n", "\n", "12\n", "00x1 ready\n", "00010ready\n"}) {
    BirdReplies replies;
    EXPECT_FALSE(replies.feed(text)) << text;
  }
  BirdReplies endless;
  EXPECT_FALSE(endless.feed(std::string(BirdReplies::kLongestLine + 1, ' ')));
}

}  // namespace
}  // namespace phalanx::adapters

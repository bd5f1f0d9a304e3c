// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "adapters/http/listen_socket.hpp"
#include "adapters/http_client.hpp"

namespace phalanx::adapters {
namespace {

const core::Endpoint kAnyPort = core::parse_endpoint("127.0.0.1:0").value();

TEST(ListenSocket, a_port_in_use_is_a_sentence_that_names_it) {
  const auto first = ListenSocket::tcp(kAnyPort).value();
  const auto second = ListenSocket::tcp({kAnyPort.address, first.port()});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("127.0.0.1:" + std::to_string(first.port()) + ": the port is in use"),
            std::string::npos)
      << second.error().message;
}

TEST(ListenSocket, an_address_of_another_host_is_refused) {
  const auto socket = ListenSocket::tcp(core::parse_endpoint("203.0.113.1:9640").value());
  ASSERT_FALSE(socket);
  EXPECT_NE(socket.error().message.find("does not have that address"), std::string::npos);
}

TEST(ListenSocket, the_file_is_made_with_its_directory_and_goes_with_the_socket) {
  const ScratchDirectory scratch;
  const auto path = scratch / "run/phalanx/phalanx.sock";
  {
    const auto socket = ListenSocket::unix_domain(path).value();
    struct stat made {};
    ASSERT_EQ(::lstat(path.c_str(), &made), 0);
    EXPECT_TRUE(S_ISSOCK(made.st_mode));
    EXPECT_EQ(made.st_mode & 0777, 0660u);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ListenSocket, a_socket_with_a_listener_is_left_alone) {
  const ScratchDirectory scratch;
  const auto first = ListenSocket::unix_domain(scratch / "a.sock").value();
  const auto second = ListenSocket::unix_domain(scratch / "a.sock");
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another process listens there"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(scratch / "a.sock"));
}

TEST(ListenSocket, a_stale_socket_file_is_replaced) {
  const ScratchDirectory scratch;
  const auto path = scratch / "a.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  const int stale = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(stale, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(stale);
  EXPECT_TRUE(ListenSocket::unix_domain(path));
}

TEST(ListenSocket, a_file_that_is_no_socket_is_left_alone) {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "a.sock") << "precious";
  const auto socket = ListenSocket::unix_domain(scratch / "a.sock");
  ASSERT_FALSE(socket);
  EXPECT_NE(socket.error().message.find("is no socket"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(scratch / "a.sock"), 8u);
}

TEST(ListenSocket, a_path_too_long_for_a_socket_is_a_sentence) {
  EXPECT_FALSE(ListenSocket::unix_domain("/tmp/" + std::string(200, 'x')));
}

TEST(ListenSocket, a_file_made_by_a_successor_is_not_removed) {
  const ScratchDirectory scratch;
  const auto path = scratch / "a.sock";
  auto first = std::make_unique<ListenSocket>(ListenSocket::unix_domain(path).value());
  std::filesystem::remove(path);
  const auto successor = ListenSocket::unix_domain(path).value();
  first.reset();
  EXPECT_TRUE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace phalanx::adapters

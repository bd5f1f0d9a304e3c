// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/bpf/balancer_maps.hpp"
#include "adapters/bpf/pin_directory.hpp"
#include "pin_fixture.hpp"

namespace phalanx::adapters {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using IfMissing = PinDirectory::IfMissing;

class PinDirectoryTest : public testing::PinTest {
 protected:
  std::string refusal(const std::string& path, IfMissing if_missing = IfMissing::create) {
    const auto opened = PinDirectory::open(path, if_missing);
    return opened ? "opened" : opened.error().message;
  }
};

TEST_F(PinDirectoryTest, makes_missing_directories) {
  const auto opened = PinDirectory::open(path("a/b/c") + "/", IfMissing::create);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->path(), path("a/b/c"));
  EXPECT_TRUE(PinDirectory::exists(path("a/b/c")));
}

TEST_F(PinDirectoryTest, says_how_to_mount_a_bpffs_where_there_is_none) {
  EXPECT_THAT(refusal("/tmp/nowhere/pins"), HasSubstr("mount -t bpf bpf /tmp/nowhere/pins"));
  EXPECT_FALSE(PinDirectory::exists("/tmp/nowhere"));
}

TEST_F(PinDirectoryTest, says_that_nothing_is_loaded_where_nothing_is) {
  EXPECT_THAT(refusal(path("none"), IfMissing::fail), HasSubstr("nothing is loaded at " + path("none")));
  EXPECT_FALSE(PinDirectory::exists(path("none")));
}

TEST_F(PinDirectoryTest, says_that_names_take_no_dot) {
  EXPECT_THAT(refusal(path("edge.a")), HasSubstr("no name with a dot"));
}

TEST_F(PinDirectoryTest, names_the_process_that_has_the_lock) {
  testing::Child holder([&] {
    static PinDirectory directory = locked();
    return std::string("locked");
  });
  ASSERT_EQ(holder.result(), "locked");
  auto second = PinDirectory::open(path("node"), IfMissing::fail);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->lock_holder(), holder.pid());
  const auto lock = second->try_lock();
  ASSERT_FALSE(lock);
  EXPECT_THAT(lock.error().message, HasSubstr("(pid " + std::to_string(holder.pid()) + ")"));

  holder.kill();
  EXPECT_EQ(second->lock_holder(), std::nullopt);
  EXPECT_TRUE(second->try_lock());
  EXPECT_EQ(second->lock_holder(), ::getpid());
}

TEST_F(PinDirectoryTest, locks_what_the_path_names_even_if_it_was_removed_and_made_again) {
  auto directory = PinDirectory::open(path("node"), IfMissing::create);
  ASSERT_TRUE(directory);
  ASSERT_EQ(::rmdir(path("node").c_str()), 0);
  ASSERT_TRUE(directory->try_lock());
  auto second = PinDirectory::open(path("node"), IfMissing::fail);
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->try_lock());
}

TEST_F(PinDirectoryTest, says_which_privilege_is_missing) {
  const testing::Child nobody([&] {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) {
      return std::string("no such user");
    }
    auto directory = PinDirectory::open(path("node"), IfMissing::create);
    if (!directory || !directory->try_lock()) {
      return std::string("could not make the directory");
    }
    const auto maps = BalancerMaps::create(*directory, testing::small_limits());
    return maps ? "loaded" : maps.error().message;
  });
  EXPECT_THAT(nobody.result(), HasSubstr("CAP_BPF and CAP_NET_ADMIN"));
  EXPECT_THAT(nobody.result(), HasSubstr("sudo"));
}

TEST_F(PinDirectoryTest, removes_its_own_pins_and_nothing_else) {
  PinDirectory directory = locked();
  ASSERT_TRUE(BalancerMaps::create(directory, testing::small_limits()));
  ASSERT_EQ(::mkdir(path("node/others").c_str(), 0755), 0);
  ASSERT_TRUE(directory.remove_everything());
  EXPECT_FALSE(directory.has("program"));
  EXPECT_TRUE(directory.has("others"));

  ASSERT_EQ(::rmdir(path("node/others").c_str()), 0);
  ASSERT_TRUE(directory.remove_everything());
  EXPECT_FALSE(PinDirectory::exists(path("node")));
  EXPECT_TRUE(directory.remove_everything()) << "a second time";
}

TEST_F(PinDirectoryTest, leaves_the_mount_point_alone) {
  const auto directory = PinDirectory::open(mount(), IfMissing::fail);
  ASSERT_TRUE(directory);
  EXPECT_TRUE(directory->remove_everything());
  EXPECT_TRUE(PinDirectory::exists(mount()));
}

TEST_F(PinDirectoryTest, writes_interfaces_with_dots_so_that_bpffs_takes_them) {
  PinDirectory directory = locked();
  EXPECT_EQ(directory.link_pin("eth0.100"), path("node/link-eth0%2e100"));
  for (const char* interface : {"eth0.100", "a%b", "plain"}) {
    ASSERT_EQ(::mkdir(directory.link_pin(interface).c_str(), 0755), 0) << interface;
  }
  EXPECT_THAT(directory.linked_interfaces(), ElementsAre("a%b", "eth0.100", "plain"));
}

}  // namespace
}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "pin_fixture.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "adapters/config/config_file.hpp"

namespace phalanx::testing {
namespace {

// Once for the process: from then on its mounts are its own.
void leave_the_mounts_of_others() {
  static const bool done =
      ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  ASSERT_TRUE(done) << "these tests need root";
}

}  // namespace

void run(const std::string& command) {
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

void PinTest::SetUp() {
  ASSERT_NO_FATAL_FAILURE(leave_the_mounts_of_others());
  char name[] = "/tmp/phalanx-pins-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  mount_ = name;
  ASSERT_EQ(::mount("bpf", name, "bpf", 0, nullptr), 0);
  former_network_ = adapters::Descriptor(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(former_network_.valid());
  ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
  run("ip link add phx0 type veth peer name phx1 && ip link set phx0 up && ip link set phx1 up");
}

void PinTest::TearDown() {
  if (former_network_.valid()) {
    ::setns(former_network_.get(), CLONE_NEWNET);
  }
  ::umount2(mount_.c_str(), MNT_DETACH);
  ::rmdir(mount_.c_str());
}

adapters::PinDirectory PinTest::locked(const std::string& name) const {
  auto directory = adapters::PinDirectory::open(path(name), adapters::PinDirectory::IfMissing::create);
  EXPECT_TRUE(directory) << directory.error().message;
  const auto lock = directory->try_lock();
  EXPECT_TRUE(lock) << lock.error().message;
  return std::move(*directory);
}

Child::Child(const std::function<std::string()>& body) {
  int ends[2];
  if (::pipe(ends) != 0 || (pid_ = ::fork()) < 0) {
    ADD_FAILURE() << "no child process";
    return;
  }
  if (pid_ == 0) {
    const std::string text = body();
    static_cast<void>(!::write(ends[1], text.data(), text.size()));
    ::close(ends[1]);
    ::pause();
    ::_exit(0);
  }
  ::close(ends[1]);
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof(buffer))) > 0;) {
    result_.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
}

void Child::kill() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

core::Limits small_limits() {
  return {4, 8, 16384, 1024};
}

core::AppliedState small_state() {
  constexpr const char* kConfig = R"({
    "node": { "name": "edge", "interfaces": ["phx0"], "tunnel_source": ["10.0.0.5"],
              "limits": { "services": 4, "backends": 8, "slots": 16384, "flows": 1024 } },
    "services": [ { "name": "web", "vips": ["203.0.113.10"], "protocol": "tcp", "port": 80, "slots": 4096,
                    "backends": [ { "name": "web-1", "address": "10.0.1.11" },
                                  { "name": "web-2", "address": "10.0.1.12" } ] } ] })";
  const adapters::ParsedConfig parsed = adapters::parse_config(kConfig);
  EXPECT_TRUE(parsed.config) << (parsed.problems.empty() ? "" : parsed.problems.front().sentence);
  core::AppliedState state;
  state.config = parsed.config.value();
  const auto layout = core::Layout(state.config.node.limits).successor(state.config, {}, {});
  EXPECT_TRUE(layout) << layout.error().message;
  state.layout = *layout;
  state.generation = 1;
  return state;
}

Attached attached_to(const std::string& interface) {
  bpf_xdp_query_opts query{};
  query.sz = sizeof(query);
  EXPECT_EQ(::bpf_xdp_query(static_cast<int>(::if_nametoindex(interface.c_str())), 0, &query), 0);
  return {query.drv_prog_id, query.skb_prog_id};
}

}  // namespace phalanx::testing

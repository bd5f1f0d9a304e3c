// SPDX-License-Identifier: Apache-2.0
// What one version of Phalanx left to the next: pins of a former layout, and a timer that looks for the
// daemon.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <vector>

#include "adapters/bpf/balancer_maps.hpp"
#include "adapters/bpf/pinned_object.hpp"
#include "pin_fixture.hpp"

namespace phalanx::adapters {
namespace {

using testing::Child;
using ::testing::HasSubstr;
using testing::small_limits;
using testing::small_state;

class TakeOver : public testing::PinTest {
 protected:
  BalancerMaps create(const PinDirectory& directory) {
    auto maps = BalancerMaps::create(directory, small_limits());
    EXPECT_TRUE(maps) << maps.error().message;
    return std::move(*maps);
  }

  BalancerMaps create_and_commit(const PinDirectory& directory) {
    BalancerMaps maps = create(directory);
    const auto committed = maps.commit(small_state());
    EXPECT_TRUE(committed) << committed.error().message;
    return maps;
  }

  static std::string refusal(const Result<BalancerMaps>& maps) {
    return maps ? "opened" : maps.error().message;
  }

  static void set_layout_version(const PinDirectory& directory, std::uint32_t version) {
    const auto state = open_pin(directory.pin("state"), PinAccess::read_write);
    ASSERT_TRUE(state);
    char page[PHX_STATE_PAGE];
    const std::uint32_t first = 0;
    ASSERT_EQ(::bpf_map_lookup_elem(state->get(), &first, page), 0);
    std::memcpy(page + PHX_OFFSET(phx_state_header, layout_version), &version, sizeof(version));
    ASSERT_EQ(::bpf_map_update_elem(state->get(), &first, page, BPF_ANY), 0);
  }
};

// As a process of the former layout left it: without the newest maps, and with fewer counters, each counted
// to 5.
void make_former(const PinDirectory& directory) {
  for (const char* name : {"liveness", "watch", "local_agent", "counters"}) {
    ASSERT_EQ(::unlink(directory.pin(name).c_str()), 0);
  }
  const std::uint32_t rows = PHX_COUNTER_BY_FIB;  // the first that it had not
  const Descriptor counters(::bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "counters", 4, 8, rows, nullptr));
  ASSERT_TRUE(counters.valid());
  const std::vector<std::uint64_t> counts(static_cast<std::size_t>(::libbpf_num_possible_cpus()), 5);
  for (std::uint32_t row = 0; row < rows; ++row) {
    ASSERT_EQ(::bpf_map_update_elem(counters.get(), &row, counts.data(), BPF_ANY), 0);
  }
  ASSERT_TRUE(pin_object(counters.get(), directory.pin("counters")));
}

TEST_F(TakeOver, takes_over_a_former_layout_and_pins_what_it_lacks_with_the_program) {
  PinDirectory directory = locked();
  create_and_commit(directory).store_slot(7, {1, 2, 3, 0});
  make_former(directory);
  set_layout_version(directory, PHX_OLDEST_LAYOUT);
  auto maps = BalancerMaps::take_over(directory);
  ASSERT_TRUE(maps) << maps.error().message;
  EXPECT_EQ(maps->slot(7).backup, 2);
  EXPECT_FALSE(maps->liveness_is_stale());
  const std::uint64_t carried = 5 * static_cast<std::uint64_t>(::libbpf_num_possible_cpus());
  EXPECT_EQ(maps->counters().at(PHX_COUNTER_SENT), carried);
  EXPECT_EQ(maps->counters().at(PHX_COUNTER_BY_FIB), 0u);
  EXPECT_FALSE(directory.has("liveness")) << "nothing changes before a program is installed";
  EXPECT_THAT(refusal(BalancerMaps::view(directory)), HasSubstr("which takes it over"));

  auto program = maps->load_program({});
  ASSERT_TRUE(program) << program.error().message;
  ASSERT_TRUE(maps->install(directory, std::move(*program)));
  const auto watched = maps->watch_liveness();
  EXPECT_TRUE(watched) << watched.error().message;
  const auto view = BalancerMaps::view(directory);
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_EQ(view->slot(7).backup, 2);
  EXPECT_EQ(view->counters().at(PHX_COUNTER_SENT), carried);
}

TEST_F(TakeOver, finishes_a_take_over_that_was_cut_short) {
  PinDirectory directory = locked();
  create_and_commit(directory);
  ASSERT_EQ(::unlink(directory.pin("watch").c_str()), 0);
  set_layout_version(directory, PHX_OLDEST_LAYOUT);
  auto maps = BalancerMaps::take_over(directory);
  ASSERT_TRUE(maps) << maps.error().message;
  auto program = maps->load_program({});
  ASSERT_TRUE(program) << program.error().message;
  ASSERT_TRUE(maps->install(directory, std::move(*program)));
  EXPECT_TRUE(directory.has("watch"));
  EXPECT_TRUE(BalancerMaps::view(directory));
}

TEST_F(TakeOver, takes_over_no_layout_older_than_it_knows_and_none_of_the_future) {
  PinDirectory directory = locked();
  create_and_commit(directory);
  for (const std::uint32_t version : {PHX_OLDEST_LAYOUT - 1, PHX_LAYOUT_VERSION + 1}) {
    set_layout_version(directory, version);
    EXPECT_THAT(refusal(BalancerMaps::take_over(directory)), HasSubstr("nothing was touched")) << version;
  }
}

TEST_F(TakeOver, a_former_layout_whose_maps_are_others_is_refused) {
  PinDirectory directory = locked();
  create_and_commit(directory);
  ASSERT_EQ(::unlink(directory.pin("answers").c_str()), 0);
  set_layout_version(directory, PHX_OLDEST_LAYOUT);
  EXPECT_THAT(refusal(BalancerMaps::take_over(directory)), HasSubstr("answers"));
}

class Liveness : public TakeOver {
 protected:
  // Until the path takes the daemon for dead, or no longer, while somebody marks or nobody does.
  static bool becomes(BalancerMaps& maps, bool stale, bool marked) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (maps.liveness_is_stale() != stale && std::chrono::steady_clock::now() < deadline) {
      if (marked) {
        maps.mark_liveness();
      }
      ::usleep(PHX_LIVENESS_MARK_MS * 1000);
    }
    return maps.liveness_is_stale() == stale;
  }
};

TEST_F(Liveness, is_stale_when_nobody_marks_and_fresh_when_somebody_does) {
  PinDirectory directory = locked();
  BalancerMaps maps = create_and_commit(directory);
  ASSERT_TRUE(maps.watch_liveness());
  EXPECT_FALSE(maps.liveness_is_stale());
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(becomes(maps, true, false));
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(PHX_LIVENESS_GRACE_MS));
  EXPECT_TRUE(becomes(maps, false, true));
}

TEST_F(Liveness, is_watched_by_nobody_but_the_pins) {
  Child child([this] {
    PinDirectory directory = locked();
    BalancerMaps maps = create_and_commit(directory);
    const auto watched = maps.watch_liveness();
    return watched ? std::string() : watched.error().message;
  });
  EXPECT_EQ(child.result(), "");
  child.kill();
  PinDirectory directory = locked();
  auto maps = BalancerMaps::open(directory);
  ASSERT_TRUE(maps) << maps.error().message;
  EXPECT_TRUE(becomes(*maps, true, false));
  EXPECT_TRUE(becomes(*maps, false, true));
  EXPECT_TRUE(becomes(*maps, true, false));
}

TEST_F(Liveness, is_watched_on_by_the_next_program) {
  PinDirectory directory = locked();
  BalancerMaps maps = create_and_commit(directory);
  ASSERT_TRUE(maps.watch_liveness());
  {
    auto program = maps.load_program({.nat = false});
    ASSERT_TRUE(program) << program.error().message;
    ASSERT_TRUE(maps.install(directory, std::move(*program)));  // and the former one is let go
  }
  ASSERT_TRUE(maps.watch_liveness());
  EXPECT_TRUE(becomes(maps, true, false));
  EXPECT_TRUE(becomes(maps, false, true));
}

}  // namespace
}  // namespace phalanx::adapters

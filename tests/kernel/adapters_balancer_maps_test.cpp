// SPDX-License-Identifier: Apache-2.0
#include <balancer.skel.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <string_view>
#include <vector>

#include "adapters/bpf/balancer_maps.hpp"
#include "adapters/bpf/pinned_object.hpp"
#include "adapters/bpf/program_loader.hpp"
#include "adapters/bpf/xdp_link.hpp"
#include "adapters/config/config_file.hpp"
#include "adapters/state/state_document.hpp"
#include "pin_fixture.hpp"

namespace phalanx::adapters {
namespace {

using ::testing::HasSubstr;
using testing::small_limits;
using testing::small_state;

class BalancerMapsTest : public testing::PinTest {
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

  static BalancerMaps::Pinned pinned(const PinDirectory& directory) {
    const auto pinned = BalancerMaps::inspect(directory);
    EXPECT_TRUE(pinned) << pinned.error().message;
    return *pinned;
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

TEST_F(BalancerMapsTest, a_new_process_adopts_what_was_committed) {
  const core::AppliedState state = small_state();
  {
    PinDirectory directory = locked();
    BalancerMaps maps = create_and_commit(directory);
    maps.store_slot(7, {1, 2, 3, 0});
    maps.store_backend_state(1, PHX_STATE_UP | PHX_STATE_REACHABLE);
    ASSERT_TRUE(maps.put_vip({{203, 0, 113, 10}, 0x5000, 6, 4}, {0, 0}));
  }
  PinDirectory directory = locked();
  ASSERT_EQ(pinned(directory), BalancerMaps::Pinned::complete);
  const auto adopted = BalancerMaps::open(directory);
  ASSERT_TRUE(adopted) << adopted.error().message;
  EXPECT_GE(adopted->program(), 0);
  EXPECT_EQ(adopted->writer_pid(), static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(adopted->slot(7).backup, 2);
  EXPECT_EQ(adopted->backend(1).state, PHX_STATE_UP | PHX_STATE_REACHABLE);
  const auto vips = adopted->vips();
  ASSERT_TRUE(vips);
  ASSERT_EQ(vips->size(), 1u);
  EXPECT_EQ(vips->front().first.protocol, 6);
  const auto loaded = adopted->load_state();
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->config, state.config);
  EXPECT_EQ(loaded->layout.services(), state.layout.services());
}

TEST_F(BalancerMapsTest, a_view_sees_every_commit_and_store_of_its_writer) {
  PinDirectory directory = locked();
  BalancerMaps maps = create_and_commit(directory);
  const auto reader = PinDirectory::open(path("node"), PinDirectory::IfMissing::fail);
  ASSERT_TRUE(reader);
  const auto view = BalancerMaps::view(*reader);
  ASSERT_TRUE(view) << view.error().message;
  core::AppliedState state = small_state();
  for (std::uint64_t generation = 2; generation < 6; ++generation) {
    state.generation = generation;
    ASSERT_TRUE(maps.commit(state));
    ASSERT_EQ(view->load_state()->generation, generation);
  }
  phx_service service{};
  service.region = phx_region(4096, 4096);
  service.seed = 77;
  maps.write_service(2, service);
  EXPECT_EQ(view->service(2).seed, 77u);
  maps.store_region(2, phx_region(8192, 4096));
  EXPECT_EQ(phx_region_offset(view->service(2).region), 8192u);
  phx_backend backend{};
  backend.state = PHX_STATE_UP;
  backend.family = PHX_FAMILY_IPV4;
  backend.port = 0x5000;
  maps.write_backend(3, backend);
  phx_next_hop hop{};
  hop.interface = 9;
  maps.write_next_hop(3, 1, hop);
  EXPECT_EQ(view->backend(3).state, PHX_STATE_UP);
  EXPECT_EQ(view->backend(3).port, 0x5000);
  EXPECT_EQ(view->backend(3).next_hop[1].interface, 9u);
  EXPECT_EQ(view->backend(3).next_hop[0].interface, 0u);
  maps.write_backend_status(3, {42, 0, PHX_HEALTH_DOWN, "connect: refused"});
  EXPECT_STREQ(view->backend_status(3).reason, "connect: refused");
}

TEST_F(BalancerMapsTest, sums_the_counts_of_all_cpus) {
  PinDirectory directory = locked();
  BalancerMaps maps = create_and_commit(directory);
  const auto cpus = static_cast<std::size_t>(::libbpf_num_possible_cpus());
  const std::vector<phx_traffic> traffic(cpus, phx_traffic{3, 100});
  const std::vector<std::uint64_t> counts(cpus, 5);
  const std::uint32_t second = 1;
  for (const char* name : {"service_traffic", "backend_traffic"}) {
    const auto map = open_pin(directory.pin(name), PinAccess::read_write);
    ASSERT_EQ(::bpf_map_update_elem(map->get(), &second, traffic.data(), BPF_ANY), 0);
  }
  const auto counters = open_pin(directory.pin("counters"), PinAccess::read_write);
  ASSERT_EQ(::bpf_map_update_elem(counters->get(), &second, counts.data(), BPF_ANY), 0);
  EXPECT_EQ(maps.service_traffic(1).packets, 3 * cpus);
  EXPECT_EQ(maps.backend_traffic(1).bytes, 100 * cpus);
  EXPECT_EQ(maps.backend_traffic(0).bytes, 0u);
  ASSERT_EQ(maps.counters().size(), PHX_COUNTER_COUNT);
  EXPECT_EQ(maps.counters()[1], 5 * cpus);
  maps.clear_service_traffic(1);
  maps.clear_backend_traffic(1);
  EXPECT_EQ(maps.service_traffic(1).packets, 0u);
  EXPECT_EQ(maps.backend_traffic(1).bytes, 0u);
}

TEST_F(BalancerMapsTest, a_start_cut_short_before_its_commit_leaves_nothing_to_adopt) {
  PinDirectory directory = locked();
  EXPECT_EQ(pinned(directory), BalancerMaps::Pinned::nothing);
  {
    const BalancerMaps maps = create(directory);
    ASSERT_TRUE(XdpLink::attach(directory, maps.program(), "phx0", core::XdpMode::native));
  }
  EXPECT_EQ(pinned(directory), BalancerMaps::Pinned::half_made);
  EXPECT_THAT(refusal(BalancerMaps::open(directory)), HasSubstr("nothing is loaded"));
  create_and_commit(directory);
  EXPECT_EQ(testing::attached_to("phx0").native, 0u) << "its link went too";
  EXPECT_TRUE(BalancerMaps::open(directory));
}

TEST_F(BalancerMapsTest, a_start_cut_short_between_two_pins_is_cleaned_by_the_next) {
  PinDirectory directory = locked();
  for (const char* last : {"program", "counters", "slots", "vips", "state"}) {
    create(directory);
    // What a start that never came past `last` lacks, and a removal that was cut short as well.
    ASSERT_EQ(::unlink(directory.pin(last).c_str()), 0);
    ASSERT_EQ(pinned(directory), BalancerMaps::Pinned::half_made) << last;
  }
  create_and_commit(directory);
  EXPECT_EQ(pinned(directory), BalancerMaps::Pinned::complete);
}

TEST_F(BalancerMapsTest, never_makes_a_second_set_over_a_complete_one) {
  PinDirectory directory = locked();
  create_and_commit(directory);
  EXPECT_THAT(refusal(BalancerMaps::create(directory, small_limits())), HasSubstr("loaded there already"));
  EXPECT_TRUE(BalancerMaps::open(directory));
}

TEST_F(BalancerMapsTest, touches_nothing_of_another_layout) {
  PinDirectory directory = locked();
  create_and_commit(directory);
  set_layout_version(directory, 99);
  EXPECT_EQ(pinned(directory), BalancerMaps::Pinned::complete);
  EXPECT_THAT(refusal(BalancerMaps::open(directory)), HasSubstr("layout 99"));
  EXPECT_THAT(refusal(BalancerMaps::view(directory)), HasSubstr("layout 99"));
  set_layout_version(directory, PHX_LAYOUT_VERSION);
  EXPECT_TRUE(BalancerMaps::open(directory));
}

TEST_F(BalancerMapsTest, refuses_maps_that_its_document_does_not_describe) {
  PinDirectory directory = locked();
  core::Limits limits = small_limits();
  limits.slots *= 2;
  auto maps = BalancerMaps::create(directory, limits);
  ASSERT_TRUE(maps);
  ASSERT_TRUE(maps->commit(small_state()));
  EXPECT_THAT(refusal(BalancerMaps::open(directory)), HasSubstr("/slots has 32768 rows"));
}

TEST_F(BalancerMapsTest, says_which_limit_to_raise) {
  PinDirectory directory = locked();
  BalancerMaps maps = create_and_commit(directory);
  core::AppliedState state = small_state();
  state.config.node.name.assign(200'000, 'x');
  const auto committed = maps.commit(state);
  ASSERT_FALSE(committed);
  EXPECT_THAT(committed.error().message, HasSubstr("node.limits.services"));
  EXPECT_EQ(maps.load_state()->config.node.name, "edge") << "the former one stays";

  Result<void> put;
  for (std::uint16_t port = 0; put && port < 100; ++port) {
    put = maps.put_vip({{203, 0, 113, 10}, port, 6, 4}, {0, 0});
  }
  ASSERT_FALSE(put);
  EXPECT_THAT(put.error().message, HasSubstr("node.limits.services"));
}

TEST_F(BalancerMapsTest, removing_a_vip_twice_is_fine) {
  PinDirectory directory = locked();
  BalancerMaps maps = create_and_commit(directory);
  const phx_vip_key key{{203, 0, 113, 10}, 80, 6, 4};
  ASSERT_TRUE(maps.put_vip(key, {0, 0}));
  EXPECT_TRUE(maps.remove_vip(key));
  EXPECT_TRUE(maps.remove_vip(key));
  EXPECT_TRUE(maps.vips()->empty());
}

TEST_F(BalancerMapsTest, a_newer_program_takes_over_the_maps_and_the_link) {
  PinDirectory directory = locked();
  BalancerMaps maps = create_and_commit(directory);
  ASSERT_TRUE(XdpLink::attach(directory, maps.program(), "phx0", core::XdpMode::automatic));
  const std::uint32_t former = testing::attached_to("phx0").native;
  maps.store_slot(5, {4, 3, 2, 0});
  auto program = maps.load_program({});
  ASSERT_TRUE(program) << program.error().message;
  ASSERT_TRUE(maps.install(directory, std::move(*program)));
  ASSERT_TRUE(XdpLink::adopt_or_attach(directory, maps.program(), "phx0", core::XdpMode::automatic));
  EXPECT_NE(testing::attached_to("phx0").native, former);
  const auto adopted = BalancerMaps::open(directory);
  ASSERT_TRUE(adopted) << adopted.error().message;
  EXPECT_EQ(adopted->slot(5).primary, 4);
}

// Of `with_nat`, as the loaded program has it: the first byte of its map of constants.
std::uint8_t with_nat(int program) {
  std::array<std::uint32_t, 64> maps{};
  bpf_prog_info info{};
  info.map_ids = reinterpret_cast<std::uint64_t>(maps.data());
  info.nr_map_ids = maps.size();
  std::uint32_t length = sizeof(info);
  EXPECT_EQ(::bpf_obj_get_info_by_fd(program, &info, &length), 0);
  for (std::uint32_t i = 0; i < info.nr_map_ids; ++i) {
    const Descriptor map(::bpf_map_get_fd_by_id(maps.at(i)));
    bpf_map_info of_map{};
    length = sizeof(of_map);
    EXPECT_EQ(::bpf_obj_get_info_by_fd(map.get(), &of_map, &length), 0);
    if (std::string_view(of_map.name).ends_with(".rodata")) {
      std::vector<char> constants(of_map.value_size);
      const std::uint32_t first = 0;
      EXPECT_EQ(::bpf_map_lookup_elem(map.get(), &first, constants.data()), 0);
      balancer_bpf::balancer_bpf__rodata rodata{};
      std::memcpy(&rodata, constants.data(), std::min(constants.size(), sizeof rodata));
      return rodata.with_nat;
    }
  }
  ADD_FAILURE() << "the program has no constants";
  return 0xff;
}

TEST_F(BalancerMapsTest, the_program_is_loaded_with_its_settings_and_swapped_for_one_with_others) {
  PinDirectory directory = locked();
  auto made = BalancerMaps::create(directory, small_limits(), {.nat = false});
  ASSERT_TRUE(made) << made.error().message;
  BalancerMaps maps = std::move(*made);
  ASSERT_TRUE(maps.commit(small_state()));
  EXPECT_EQ(with_nat(maps.program()), 0);
  EXPECT_EQ(maps.settings(), PathSettings{.nat = false});
  ASSERT_TRUE(XdpLink::attach(directory, maps.program(), "phx0", core::XdpMode::automatic));
  const std::uint32_t former_id = testing::attached_to("phx0").native;

  auto program = maps.load_program({.nat = true});
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(with_nat(maps.program()), 0) << "nothing changes before it is installed";
  auto former = maps.install(directory, std::move(*program));
  ASSERT_TRUE(former) << former.error().message;
  EXPECT_EQ(with_nat(maps.program()), 1);
  EXPECT_EQ(former->settings, PathSettings{.nat = false});
  ASSERT_TRUE(XdpLink::adopt_or_attach(directory, maps.program(), "phx0", core::XdpMode::automatic));
  EXPECT_NE(testing::attached_to("phx0").native, former_id);
  EXPECT_EQ(with_nat(open_pin(directory.pin("program"), PinAccess::read_write)->get()), 1);

  ASSERT_TRUE(maps.install(directory, std::move(*former)));
  ASSERT_TRUE(XdpLink::adopt_or_attach(directory, maps.program(), "phx0", core::XdpMode::automatic));
  EXPECT_EQ(testing::attached_to("phx0").native, former_id) << "taken back";
}

TEST_F(BalancerMapsTest, nat_sources_are_put_replaced_listed_and_removed) {
  PinDirectory directory = locked();
  BalancerMaps maps = create_and_commit(directory);
  const phx_vip_key key{{10, 0, 1, 11}, 0x5000, 6, 4};
  phx_nat_source source{{203, 0, 113, 10}, 0x5000, 1, 2};
  ASSERT_TRUE(maps.put_nat_source(key, source));
  source.entry = 3;
  ASSERT_TRUE(maps.put_nat_source(key, source));
  const auto rows = maps.nat_sources();
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(std::memcmp(&rows->front().first, &key, sizeof key), 0);
  EXPECT_EQ(rows->front().second.entry, 3);
  EXPECT_EQ(rows->front().second.service, 2u);
  EXPECT_TRUE(maps.remove_nat_source(key));
  EXPECT_TRUE(maps.remove_nat_source(key)) << "gone already";
  EXPECT_TRUE(maps.nat_sources()->empty());
}

TEST_F(BalancerMapsTest, a_nat_backends_address_passes_the_filter_that_spares_packets_a_look_up) {
  PinDirectory directory = locked();
  BalancerMaps maps = create_and_commit(directory);
  const phx_vip_key key{{10, 0, 1, 11}, 0x5000, 6, 4};
  ASSERT_TRUE(maps.put_nat_source(key, {}));
  phx_vip_filter filter{};
  const std::uint32_t first = 0;
  const auto map = open_pin(directory.pin("vip_filter"), PinAccess::read_write);
  ASSERT_EQ(::bpf_map_lookup_elem(map->get(), &first, &filter), 0);
  std::uint64_t halves[2];
  std::memcpy(halves, key.address, sizeof halves);
  const std::uint32_t bit = phx_vip_filter_bit(halves[0], halves[1]);
  EXPECT_TRUE(filter.words[bit / 64] >> bit % 64 & 1);
}

TEST_F(BalancerMapsTest, the_interfaces_that_take_redirected_frames_are_those_set_last) {
  PinDirectory directory = locked();
  BalancerMaps maps = create_and_commit(directory);
  const auto map = open_pin(directory.pin("interfaces"), PinAccess::read_write);
  const auto has = [&](std::uint32_t interface) {
    std::uint32_t value = 0;
    return ::bpf_map_lookup_elem(map->get(), &interface, &value) == 0 && value == interface;
  };
  const std::uint32_t phx0 = ::if_nametoindex("phx0");
  const std::uint32_t phx1 = ::if_nametoindex("phx1");
  ASSERT_TRUE(maps.set_interfaces({phx0, phx1}));
  EXPECT_TRUE(has(phx0) && has(phx1));
  ASSERT_TRUE(maps.set_interfaces({phx1}));
  EXPECT_FALSE(has(phx0));
  EXPECT_TRUE(has(phx1));
  ASSERT_TRUE(maps.set_interfaces({}));
  EXPECT_FALSE(has(phx1));
  EXPECT_FALSE(maps.set_interfaces({9999})) << "there is no such interface";
}

TEST_F(BalancerMapsTest, every_backend_has_room_for_both_protocols_in_nat) {
  PinDirectory directory = locked();
  BalancerMaps maps = create_and_commit(directory);
  const std::uint32_t room = small_limits().backends * PHX_NAT_SOURCES_PER_BACKEND;
  for (std::uint32_t i = 0; i < room; ++i) {
    const auto port = static_cast<std::uint16_t>(i / 2);
    ASSERT_TRUE(
        maps.put_nat_source({{10, 0, 1, 11}, port, static_cast<std::uint8_t>(i % 2 == 0 ? 6 : 17), 4}, {}));
  }
  const auto refused = maps.put_nat_source({{10, 0, 1, 12}, 80, 6, 4}, {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("node.limits.backends"));
}

TEST_F(BalancerMapsTest, source_bits_are_stored_by_themselves) {
  PinDirectory directory = locked();
  BalancerMaps maps = create_and_commit(directory);
  phx_backend backend{};
  backend.state = PHX_STATE_UP;
  backend.tunnel_port = 0xc017;
  maps.write_backend(3, backend);
  maps.store_source_bits(3, 64);
  EXPECT_EQ(maps.backend(3).source_bits, 64);
  EXPECT_EQ(maps.backend(3).tunnel_port, 0xc017);
  EXPECT_EQ(maps.backend(3).state, PHX_STATE_UP);
}

TEST_F(BalancerMapsTest, default_limits_take_less_than_32_mebibytes) {
  PinDirectory directory = locked();
  ASSERT_TRUE(BalancerMaps::create(directory, core::Limits{}));
  std::uint64_t bytes = 0;
  for (const char* name : {"state", "vips", "vip_filter", "vip_cache", "services", "slots", "backends",
                           "backend_status", "service_traffic", "backend_traffic", "counters", "flows",
                           "nat_sources", "interfaces", "fragments", "answers"}) {
    const auto map = open_pin(directory.pin(name), PinAccess::read_only);
    ASSERT_TRUE(map) << map.error().message;
    std::ifstream info(fmt::format("/proc/self/fdinfo/{}", map->get()));
    for (std::string word; info >> word;) {
      if (word == "memlock:") {
        std::uint64_t size = 0;
        info >> size;
        bytes += size;
      }
    }
  }
  EXPECT_GT(bytes, 8u << 20);
  EXPECT_LT(bytes, 32u << 20);
}

core::AppliedState large_state(int services, int backends) {
  std::string list;
  for (int service = 0; service < services; ++service) {
    std::string members;
    for (int backend = 0; backend < backends; ++backend) {
      const int number = service * backends + backend;
      members += fmt::format(R"({}{{"name": "backend-of-rack-{}", "address": "2001:db8:1234:5678::{:x}",
                                    "zone": "rack-{}"}})",
                             backend == 0 ? "" : ",", number, number + 1, backend % 50);
    }
    list += fmt::format(
        R"({}{{"name": "service-{}", "vips": ["2001:db8::{:x}"], "protocol": "tcp", "port": 443, "check": "web",
               "slots": {}, "backends": [{}]}})",
        service == 0 ? "" : ",", service, service + 1, services == 1 ? 1048576 : 4096, members);
  }
  const ParsedConfig parsed = parse_config(fmt::format(
      R"({{"node": {{"name": "edge", "interfaces": ["eth0"], "tunnel_source": ["2001:db8::ffff:1"],
                    "limits": {{"slots": 4194304}}}},
          "checks": {{"web": {{"type": "http", "path": "/healthz"}}}}, "services": [{}]}})",
      list));
  EXPECT_TRUE(parsed.config) << (parsed.problems.empty() ? "" : parsed.problems.front().sentence);
  core::AppliedState state;
  state.config = parsed.config.value();
  const auto layout = core::Layout(state.config.node.limits).successor(state.config, {}, {});
  EXPECT_TRUE(layout) << layout.error().message;
  state.layout = *layout;
  return state;
}

TEST(StateRoom, holds_large_configurations_in_default_limits) {
  const std::size_t room = std::size_t{state_copy_pages(core::Limits{})} * PHX_STATE_PAGE;
  EXPECT_LT(write_state(large_state(1000, 4)).size(), room / 2);
  EXPECT_LT(write_state(large_state(1, 4096)).size(), room / 2);
}

TEST(ProgramLoader, shows_the_end_of_the_verifiers_log) {
  balancer_bpf* skeleton = balancer_bpf::open();
  ASSERT_NE(skeleton, nullptr);
  // As a socket filter it may not touch packets as an XDP program does.
  ASSERT_EQ(::bpf_program__set_type(skeleton->progs.phalanx_xdp, BPF_PROG_TYPE_SOCKET_FILTER), 0);
  ::bpf_program__set_expected_attach_type(skeleton->progs.phalanx_xdp, static_cast<bpf_attach_type>(0));
  ::testing::internal::CaptureStderr();
  const auto loaded = load_object(skeleton->obj, skeleton->progs.phalanx_xdp, "the packet path");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "") << "libbpf keeps quiet";
  balancer_bpf::destroy(skeleton);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("verifier refuses"));
  EXPECT_THAT(loaded.error().message, HasSubstr("invalid mem access"));
}

}  // namespace
}  // namespace phalanx::adapters

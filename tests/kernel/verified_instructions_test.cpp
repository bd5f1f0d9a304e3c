// SPDX-License-Identifier: Apache-2.0
// How many instructions the verifier looks at before it accepts a program, under every combination of the
// settings that are fixed when it is loaded. Prints a line for each, which `tools/bench verified` collects.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <phalanx.h>

#include <cstring>
#include <memory>
#include <string>

#include "agent.skel.h"
#include "balancer.skel.h"
#include "program_run.hpp"

namespace phalanx::test {
namespace {

constexpr std::uint32_t kLimit = 100'000;
constexpr std::size_t kMostSettings = 6;  // 64 loads

using Object = std::unique_ptr<bpf_object, void (*)(bpf_object*)>;
using ElfBytes = const void* (*)(std::size_t*);

// A `const volatile` variable of one byte: off or on. (Wider ones are numbers, and keep their value.)
struct Setting {
  std::string name;
  std::uint32_t offset;  // in .rodata
};

Object opened(ElfBytes elf_bytes) {
  std::size_t size = 0;
  const void* bytes = elf_bytes(&size);
  Object object(bpf_object__open_mem(bytes, size, nullptr), bpf_object__close);
  require(object != nullptr, "a BPF object cannot be opened");
  return object;
}

// Constants of the program itself are not volatile, for the compiler may use their values.
bool is_volatile(const btf* types, const btf_type* type) {
  while (btf_is_mod(type) || btf_is_typedef(type)) {
    if (btf_is_volatile(type)) return true;
    type = btf__type_by_id(types, type->type);
  }
  return false;
}

std::vector<Setting> settings_of(const bpf_object* object) {
  const btf* types = bpf_object__btf(object);
  const std::int32_t section_id = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  if (section_id < 0) return {};
  const btf_type* section = btf__type_by_id(types, static_cast<std::uint32_t>(section_id));
  const btf_var_secinfo* variables = btf_var_secinfos(section);
  std::vector<Setting> settings;
  for (std::uint16_t i = 0; i < btf_vlen(section); i++) {
    const btf_type* variable = btf__type_by_id(types, variables[i].type);
    if (variables[i].size != 1 || !is_volatile(types, btf__type_by_id(types, variable->type))) continue;
    settings.push_back({btf__name_by_offset(types, variable->name_off), variables[i].offset});
  }
  return settings;
}

// Returns what was set, for people.
std::string set(bpf_object* object, const std::vector<Setting>& settings, std::uint32_t combination) {
  if (settings.empty()) return "(no settings)";
  bpf_map* section = bpf_object__find_map_by_name(object, ".rodata");
  std::size_t size = 0;
  const auto* initial = static_cast<const std::uint8_t*>(bpf_map__initial_value(section, &size));
  require(initial != nullptr, "the settings of a BPF object cannot be found");
  std::vector<std::uint8_t> values(initial, initial + size);
  std::string words;
  for (std::size_t i = 0; i < settings.size(); i++) {
    const std::uint8_t value = combination >> i & 1;
    values[settings[i].offset] = value;
    words += (i == 0 ? "" : " ") + settings[i].name + "=" + std::to_string(value);
  }
  require(bpf_map__set_initial_value(section, values.data(), size) == 0,
          "the settings of a BPF object cannot be changed");
  return words;
}

void judge_programs(const bpf_object* object, const std::string& settings) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    ASSERT_EQ(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size), 0) << std::strerror(errno);
    std::printf("verified_instructions %s %u %s\n", bpf_program__name(program), info.verified_insns,
                settings.c_str());
    EXPECT_GT(info.verified_insns, 0u) << settings;
    EXPECT_LT(info.verified_insns, kLimit) << bpf_program__name(program) << " with " << settings;
  }
}

void judge_combinations(ElfBytes elf_bytes) {
  const std::vector<Setting> settings = settings_of(opened(elf_bytes).get());
  ASSERT_LE(settings.size(), kMostSettings) << "too many combinations to try them all";
  for (std::uint32_t combination = 0; combination < 1u << settings.size(); combination++) {
    const Object object = opened(elf_bytes);
    const std::string words = set(object.get(), settings, combination);
    ASSERT_EQ(bpf_object__load(object.get()), 0) << "with " << words;
    judge_programs(object.get(), words);
  }
}

TEST(VerifiedInstructions, of_the_balancer_stay_below_100000_under_every_combination_of_settings) {
  judge_combinations(balancer_bpf::elf_bytes);
}

TEST(VerifiedInstructions, of_the_agent_stay_below_100000_under_every_combination_of_settings) {
  judge_combinations(agent_bpf::elf_bytes);
}

}  // namespace
}  // namespace phalanx::test

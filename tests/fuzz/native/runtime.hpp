// SPDX-License-Identifier: Apache-2.0
// What a natively compiled BPF program runs on: maps, helpers, and memory for one frame that is poisoned all
// around.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "native/program.h"

namespace phalanx::fuzz {

using Bytes = std::vector<std::uint8_t>;

// Of the program compiled here; rows that were never written are zero or absent, as in the kernel.
class Map {
 public:
  explicit Map(const native_map_declaration& declaration) : declaration_(declaration) {}

  void* find(const void* key);
  long update(const void* key, const void* value);
  long erase(const void* key);
  void clear() {
    rows_.clear();
    array_.clear();
  }
  // The sum of the 64-bit words of a row of a (per-CPU) array.
  std::vector<std::uint64_t> words();

 private:
  bool is_array() const;

  native_map_declaration declaration_;
  std::vector<std::uint64_t> array_;
  std::map<std::string, std::vector<std::uint64_t>> rows_;  // by the key's bytes; words: rows are aligned
};

// A program with its maps. One a process and program: the maps are the program's variables.
class NativeProgram {
 public:
  using Entry = int (*)(xdp_md*);
  NativeProgram(Entry entry, const native_map_declaration* declarations);

  Map& map(const std::string& name) { return maps_.at(name); }

  struct Result {
    std::uint32_t verdict;
    std::span<const std::uint8_t> frame;  // until the next run
  };
  // frame: 14 to kMaxFrame bytes. Any access outside of it ends the process where AddressSanitizer is in.
  Result run(std::span<const std::uint8_t> frame);

 private:
  Entry entry_;
  std::map<std::string, Map> maps_;
};

// Whether look-ups of sockets find any, which the flow's ports decide. In a namespace of its own there are
// none.
inline bool sockets_exist = false;

inline constexpr std::size_t kMinFrame = 14;
inline constexpr std::size_t kMaxFrame = 2048;
inline constexpr std::uint32_t kIngress = 1;  // the loopback interface, as in the kernel's test runs

}  // namespace phalanx::fuzz

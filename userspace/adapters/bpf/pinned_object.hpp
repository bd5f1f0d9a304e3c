// SPDX-License-Identifier: Apache-2.0
// Programs, maps and links by the paths of their pins. (By id would take CAP_SYS_ADMIN.)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/bpf/descriptor.hpp"
#include "core/result.hpp"

namespace phalanx::adapters {

enum class PinAccess { read_only, read_write };

// Fails when there is no such pin, or it may not be opened.
Result<Descriptor> open_pin(const std::string& path, PinAccess access);

// Fails when something is pinned there already, or it may not be pinned.
Result<void> pin_object(int object, const std::string& path);

struct MapShape {
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  std::uint32_t rows = 0;

  friend bool operator==(const MapShape&, const MapShape&) = default;
};

// Puts `object` in the place of what is pinned at `path`, in one step: there is a pin at every moment.
// `beside` is a path in the same directory that nothing else uses.
Result<void> replace_pin(int object, const std::string& path, const std::string& beside);

// Of the map behind `map`. Fails when that is no map.
Result<MapShape> map_shape(int map);

struct ProgramIdentity {
  std::uint32_t id = 0;  // differs from load to load
  std::string tag;  // 16 hexadecimal digits, made from the instructions: builds of the same code share it
};

// Of the program behind `program`. Fails when that is no program.
Result<ProgramIdentity> program_identity(int program);

// A further descriptor of the same object.
Result<Descriptor> duplicate(int fd);

// "No such file or directory (ENOENT)": why a system call failed.
std::string describe_errno(int error);

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "adapters/bpf/pinned_object.hpp"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "adapters/bpf/pin_directory.hpp"

namespace phalanx::adapters {

std::string describe_errno(int error) {
  const char* name = ::strerrorname_np(error);
  const char* text = ::strerrordesc_np(error);
  return name == nullptr ? fmt::format("error {}", error) : fmt::format("{} ({})", text, name);
}

Result<Descriptor> open_pin(const std::string& path, PinAccess access) {
  struct bpf_obj_get_opts options {};
  options.sz = sizeof(options);
  options.file_flags = access == PinAccess::read_only ? BPF_F_RDONLY : 0;
  const int fd = ::bpf_obj_get_opts(path.c_str(), &options);
  if (fd >= 0) {
    return Descriptor(fd);
  }
  if (errno == EPERM || errno == EACCES) {
    return fail(missing_privilege("open " + path));
  }
  return fail(fmt::format("open {}: {}", path, describe_errno(errno)));
}

Result<void> pin_object(int object, const std::string& path) {
  if (::bpf_obj_pin(object, path.c_str()) == 0) {
    return {};
  }
  if (errno == EPERM || errno == EACCES) {
    return fail(missing_privilege("pin " + path));
  }
  return fail(fmt::format("pin {}: {}", path, describe_errno(errno)));
}

Result<void> replace_pin(int object, const std::string& path, const std::string& beside) {
  ::unlink(beside.c_str());
  if (Result<void> pinned = pin_object(object, beside); !pinned) {
    return pinned;
  }
  if (::rename(beside.c_str(), path.c_str()) == 0) {
    return {};
  }
  const int error = errno;
  ::unlink(beside.c_str());
  return fail(fmt::format("replace {}: {}", path, describe_errno(error)));
}

Result<MapShape> map_shape(int map) {
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  if (::bpf_obj_get_info_by_fd(map, &info, &length) != 0) {
    return fail(fmt::format("ask the kernel for a map's sizes: {}", describe_errno(errno)));
  }
  return MapShape{info.key_size, info.value_size, info.max_entries};
}

Result<ProgramIdentity> program_identity(int program) {
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  if (::bpf_obj_get_info_by_fd(program, &info, &length) != 0) {
    return fail(fmt::format("ask the kernel about a BPF program: {}", describe_errno(errno)));
  }
  std::string tag;
  for (const std::uint8_t byte : info.tag) {
    tag += fmt::format("{:02x}", byte);
  }
  return ProgramIdentity{info.id, tag};
}

Result<Descriptor> duplicate(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) {
    return fail(fmt::format("keep a BPF object open: {}", describe_errno(errno)));
  }
  return Descriptor(copy);
}

}  // namespace phalanx::adapters

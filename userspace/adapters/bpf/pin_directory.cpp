// SPDX-License-Identifier: Apache-2.0
#include "adapters/bpf/pin_directory.hpp"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <phalanx.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "adapters/bpf/pin_names.hpp"
#include "adapters/bpf/pinned_object.hpp"

namespace phalanx::adapters {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDefaultMount = "/sys/fs/bpf";
constexpr mode_t kDirectoryMode = 0755;

fs::path nearest_existing(fs::path path) {
  struct stat status {};
  while (path.has_relative_path() && ::stat(path.c_str(), &status) != 0) {
    path = path.parent_path();
  }
  return path;
}

std::string mount_command(const std::string& path) {
  if (path.starts_with(kDefaultMount)) {
    return fmt::format("mount -t bpf bpf {}", kDefaultMount);
  }
  return fmt::format("mkdir -p {0} && mount -t bpf bpf {0}", path);
}

Result<void> check_bpffs(const std::string& path) {
  const fs::path existing = nearest_existing(path);
  struct statfs system {};
  if (::statfs(existing.c_str(), &system) != 0) {
    return fail(
        fmt::format("use {} for pins: look at {}: {}", path, existing.string(), describe_errno(errno)));
  }
  if (system.f_type != BPF_FS_MAGIC) {
    return fail(
        fmt::format("use {} for pins: {} is not on a BPF file system, and Phalanx mounts nothing; "
                    "mount one: {}",
                    path, existing.string(), mount_command(path)));
  }
  return {};
}

Result<void> make_directories(const std::string& path) {
  fs::path made;
  for (const fs::path& part : fs::path(path)) {
    made /= part;
    struct stat status {};
    if (::stat(made.c_str(), &status) == 0 || ::mkdir(made.c_str(), kDirectoryMode) == 0 || errno == EEXIST) {
      continue;
    }
    if (errno == EPERM && part.string().find('.') != std::string::npos) {
      return fail(fmt::format("make {}: a BPF file system takes no name with a dot; choose another --pin-dir",
                              made.string()));
    }
    if (errno == EPERM || errno == EACCES) {
      return fail(missing_privilege("make " + made.string()));
    }
    return fail(fmt::format("make {}: {}", made.string(), describe_errno(errno)));
  }
  return {};
}

// Reverses PinDirectory::link_pin's escapes.
std::string interface_of(std::string_view name) {
  std::string interface;
  for (std::size_t i = kLinkPrefix.size(); i < name.size(); ++i) {
    if (name.substr(i, 3) == "%2e" || name.substr(i, 3) == "%25") {
      interface += name[i + 2] == 'e' ? '.' : '%';
      i += 2;
    } else {
      interface += name[i];
    }
  }
  return interface;
}

std::string process_name(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(file, name);
  return name.empty() ? "a process" : name;
}

std::string in_use(const std::string& path, pid_t holder) {
  const std::string who = holder > 0 ? fmt::format("{} (pid {})", process_name(holder), holder)
                                     : std::string("a process that this one can't see");
  return fmt::format("{} is in use by {}; stop that first, or choose another --pin-dir", path, who);
}

// What the pinned state says of its writer; 0 when there is none.
pid_t recorded_writer(const std::string& state_pin) {
  const Result<Descriptor> map = open_pin(state_pin, PinAccess::read_only);
  if (!map) {
    return 0;
  }
  const Result<MapShape> shape = map_shape(map->get());
  if (!shape || shape->value_size != PHX_STATE_PAGE) {
    return 0;
  }
  std::array<char, PHX_STATE_PAGE> page{};
  const std::uint32_t first = 0;
  if (::bpf_map_lookup_elem(map->get(), &first, page.data()) != 0) {
    return 0;
  }
  phx_state_header header{};
  std::memcpy(&header, page.data(), sizeof(header));
  return static_cast<pid_t>(header.writer_pid);
}

}  // namespace

std::string missing_privilege(std::string_view what) {
  return fmt::format(
      "{}: this process lacks the privilege; CAP_BPF and CAP_NET_ADMIN are needed, and access to "
      "the pin directory: run it with sudo, or give the service both capabilities",
      what);
}

std::string nothing_loaded(const std::string& path) {
  return fmt::format("nothing is loaded at {}; start phalanxd, or run \"phalanx up --config FILE\" first",
                     path);
}

bool PinDirectory::exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

Result<PinDirectory> PinDirectory::open(std::string path, IfMissing if_missing) {
  std::error_code error;
  std::string full = fs::absolute(path, error).lexically_normal().string();
  while (full.size() > 1 && full.back() == '/') {
    full.pop_back();
  }
  if (const Result<void> checked = check_bpffs(full); !checked) {
    return Failure(checked.error());
  }
  if (!exists(full)) {
    if (if_missing == IfMissing::fail) {
      return fail(nothing_loaded(full));
    }
    if (const Result<void> made = make_directories(full); !made) {
      return Failure(made.error());
    }
  }
  return PinDirectory(std::move(full));
}

std::string PinDirectory::pin(std::string_view name) const {
  return fmt::format("{}/{}", path_, name);
}

std::string PinDirectory::link_pin(std::string_view interface) const {
  std::string name(kLinkPrefix);
  for (const char letter : interface) {
    if (letter == '.') {
      name += "%2e";
    } else if (letter == '%') {
      name += "%25";
    } else {
      name += letter;
    }
  }
  return pin(name);
}

bool PinDirectory::has(std::string_view name) const {
  struct stat status {};
  return ::stat(pin(name).c_str(), &status) == 0;
}

std::vector<std::string> PinDirectory::linked_interfaces() const {
  std::vector<std::string> interfaces;
  std::error_code error;
  for (fs::directory_iterator entry(path_, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(kLinkPrefix)) {
      interfaces.push_back(interface_of(name));
    }
  }
  std::sort(interfaces.begin(), interfaces.end());
  return interfaces;
}

Result<void> PinDirectory::try_lock() {
  while (!locked()) {
    if (Result<void> made = make_directories(path_); !made) {
      return made;
    }
    Descriptor directory(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) {
      return fail(errno == EACCES ? missing_privilege("lock " + path_)
                                  : fmt::format("lock {}: {}", path_, describe_errno(errno)));
    }
    if (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) {
        return fail(fmt::format("lock {}: {}", path_, describe_errno(errno)));
      }
      return fail(in_use(path_, lock_holder().value_or(recorded_writer(pin(kStatePin)))));
    }
    // Whoever held the lock before may have removed the directory meanwhile: then this lock guards nothing.
    struct stat ours {};
    struct stat there {};
    if (::fstat(directory.get(), &ours) == 0 && ::stat(path_.c_str(), &there) == 0 &&
        ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
      lock_ = std::move(directory);
    }
  }
  return {};
}

std::optional<pid_t> PinDirectory::lock_holder() const {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) {
    return std::nullopt;
  }
  const std::string file =
      fmt::format("{:02x}:{:02x}:{}", ::major(status.st_dev), ::minor(status.st_dev), status.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    // "1: FLOCK  ADVISORY  WRITE 4711 00:27:33329 0 EOF"; one that waits has "->" in the second place.
    std::istringstream words(line);
    std::string number, kind, sort, access, held;
    pid_t pid = 0;
    words >> number >> kind >> sort >> access >> pid >> held;
    if (kind == "FLOCK" && held == file && pid > 0) {
      return pid;
    }
  }
  return std::nullopt;
}

Result<void> PinDirectory::remove_pins() const {
  std::string failures;
  const auto remove = [&failures](const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
      failures += fmt::format("{}{}: {}", failures.empty() ? "" : "; ", path, describe_errno(errno));
    }
  };
  for (const std::string& interface : linked_interfaces()) {
    const std::string path = link_pin(interface);
    // Without this the kernel detaches some time after the pin went.
    if (const Result<Descriptor> link = open_pin(path, PinAccess::read_write); link) {
      ::bpf_link_detach(link->get());
    }
    remove(path);
  }
  for (const std::string_view name : kPinNames) {
    remove(pin(name));
  }
  if (!failures.empty()) {
    return fail(fmt::format("remove the pins in {}: {}", path_, failures));
  }
  return {};
}

Result<void> PinDirectory::remove_everything() const {
  if (const std::string agent = path_ + "/" + std::string(kLocalAgentDirectory); exists(agent)) {
    const Result<PinDirectory> directory = open(agent, IfMissing::fail);
    if (Result<void> removed = directory ? directory->remove_everything() : Failure(directory.error());
        !removed) {
      return removed;
    }
  }
  if (Result<void> removed = remove_pins(); !removed) {
    return removed;
  }
  struct stat own {};
  struct stat parent {};
  const bool mount_point = ::stat(path_.c_str(), &own) == 0 &&
                           ::stat((path_ + "/..").c_str(), &parent) == 0 && own.st_dev != parent.st_dev;
  if (mount_point || ::rmdir(path_.c_str()) == 0 || errno == ENOTEMPTY || errno == ENOENT) {
    return {};
  }
  return fail(fmt::format("remove {}: {}", path_, describe_errno(errno)));
}

}  // namespace phalanx::adapters

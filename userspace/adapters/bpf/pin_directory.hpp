// SPDX-License-Identifier: Apache-2.0
// The directory on a BPF file system whose pins keep the packet path alive when no process does.
//
//   program, vips, services, slots, ...   the program and its maps, by the names of phalanx.h
//   link-INTERFACE                        what holds the program on an interface; bpffs allows no dot in a
//                                         name, so "." is written "%2e" and "%" "%25" (eth0.100:
//                                         link-eth0%2e100)
//
// One writer at a time: phalanxd for as long as it runs, or a command of the CLI. The lock is flock(2) on the
// directory, so the kernel drops it when its holder ends, however that ends.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/bpf/descriptor.hpp"
#include "core/result.hpp"

namespace phalanx::adapters {

class PinDirectory {
 public:
  enum class IfMissing { fail, create };

  // path: absolute or relative, on a mounted bpffs. Missing directories are made with IfMissing::create.
  // Fails with a sentence when
  //   - the nearest existing parent is not on a bpffs (it says how to mount one; nothing is mounted),
  //   - the directory is missing and may not be made ("nothing is loaded at ..."),
  //   - this process may not use it (it names CAP_BPF, CAP_NET_ADMIN and sudo),
  //   - a name in it has a dot, which bpffs refuses.
  static Result<PinDirectory> open(std::string path, IfMissing if_missing);

  // Whether there is a directory at `path`, wherever that lies: with none there is nothing to take down.
  static bool exists(const std::string& path);

  const std::string& path() const { return path_; }
  // Path of the pin `name`.
  std::string pin(std::string_view name) const;
  // Path of the pin that holds the program on `interface`.
  std::string link_pin(std::string_view interface) const;

  bool has(std::string_view name) const;
  // Interfaces that have a link pinned, whether it is still attached or not. Sorted.
  std::vector<std::string> linked_interfaces() const;

  // Takes the lock, which lasts as long as this object (or until the process ends). Fails, naming the pid of
  // its holder where the kernel shows it, when another has it. Holding it already is fine.
  Result<void> try_lock();
  bool locked() const { return lock_.valid(); }

  // The process that holds the lock, if any; by /proc/locks, so that asking never gets in anybody's way. A
  // holder in a pid namespace that this process can't see is not found.
  std::optional<pid_t> lock_holder() const;

  // Removes Phalanx's pins and nothing else that lies here: links first, each detached before its pin goes,
  // so that packets stop coming; then programs and maps. Names what failed. The lock and the directory stay.
  Result<void> remove_pins() const;

  // Takes down all that is pinned here: remove_pins(), then the directory, unless it is where the bpffs is
  // mounted or something else lies in it.
  Result<void> remove_everything() const;

 private:
  explicit PinDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;
  Descriptor lock_;
};

// Says that nothing is loaded at `path`, and what to start.
std::string nothing_loaded(const std::string& path);

// Says that the process lacks the right to do `what`, and what gives it.
std::string missing_privilege(std::string_view what);

}  // namespace phalanx::adapters

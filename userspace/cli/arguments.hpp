// SPDX-License-Identifier: Apache-2.0
// The command line, read.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace phalanx::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUsage = 2;

struct Arguments {
  std::string pin_dir = "/sys/fs/bpf/phalanx";
  std::string socket = "/run/phalanx/phalanx.sock";
  bool json = false;

  std::string file;                            // up --config, guard --config, check
  std::string name;                            // slots SERVICE; disable, drain, weight, ... BACKEND
  std::optional<std::string> service;          // disable, drain, weight, ... --service
  bool wait = false;                           // drain --wait
  std::chrono::milliseconds timeout{600'000};  // drain --timeout, 1 s .. 24 h
  std::optional<std::uint16_t> weight;         // weight N; absent: config
  std::vector<std::string> flow;               // route: PROTO SRC:PORT VIP:PORT
  std::string batch;                           // route --batch: a file, "-" for standard input; empty: none
  std::string since;                           // events --since; empty: all
  bool follow = false;                         // events
  bool summary = false;                        // slots
};

using Command = std::function<int(const Arguments&)>;

struct Invocation {
  Command command;  // empty: nothing to run, exit_code says how to end
  Arguments arguments;
  int exit_code = kDone;
};

// Prints help, version or what is wrong with the usage where that is the outcome.
Invocation read_arguments(int argc, const char* const* argv);

std::string version();

}  // namespace phalanx::cli

// SPDX-License-Identifier: Apache-2.0
#include "adapters/bpf/program_loader.hpp"

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "adapters/bpf/libbpf_log.hpp"
#include "adapters/bpf/pin_directory.hpp"
#include "adapters/bpf/pinned_object.hpp"

namespace phalanx::adapters {
namespace {

// Room for the whole log of a refusal; when it does not suffice the kernel keeps the end, where the reason
// is.
constexpr std::size_t kLogSize = 1 << 20;
constexpr int kLinesShown = 8;

std::string last_lines(std::string_view log) {
  while (!log.empty() && log.back() == '\n') {
    log.remove_suffix(1);
  }
  std::size_t begin = log.size();
  for (int line = 0; line < kLinesShown && begin != std::string_view::npos && begin != 0; ++line) {
    begin = log.rfind('\n', begin - 1);
  }
  return std::string(begin == std::string_view::npos || begin == 0 ? log : log.substr(begin + 1));
}

}  // namespace

Result<void> load_object(bpf_object* object, bpf_program* program, std::string_view what) {
  const LibbpfLog log;
  std::vector<char> verifier_log(kLogSize);
  ::bpf_program__set_log_buf(program, verifier_log.data(), verifier_log.size());
  const int error = -::bpf_object__load(object);
  if (error == 0) {
    return {};
  }
  if (error == EPERM || error == EACCES) {
    // The verifier says EACCES too, but not without a word.
    if (verifier_log.front() == '\0') {
      return fail(missing_privilege(fmt::format("load {}", what)));
    }
  }
  if (verifier_log.front() != '\0') {
    return fail(
        fmt::format("load {}: this kernel's verifier refuses the program, {}; report it with the kernel's "
                    "version. The end of its log:\n{}",
                    what, describe_errno(error), last_lines(verifier_log.data())));
  }
  if (error == ENOMEM || error == E2BIG) {
    return fail(fmt::format("load {}: the kernel has no memory for its maps, {}; lower node.limits", what,
                            describe_errno(error)));
  }
  return fail(fmt::format("load {}: {}; {}", what, describe_errno(error), log.last_warning()));
}

}  // namespace phalanx::adapters

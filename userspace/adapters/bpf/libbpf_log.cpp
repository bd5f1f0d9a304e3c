// SPDX-License-Identifier: Apache-2.0
#include "adapters/bpf/libbpf_log.hpp"

#include <bpf/libbpf.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <string_view>

namespace phalanx::adapters {
namespace {

thread_local std::string warning;
libbpf_print_fn_t former = nullptr;

int keep_warning(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_WARN) {
    std::array<char, 512> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    warning = text.data();
  }
  return 0;
}

}  // namespace

LibbpfLog::LibbpfLog() {
  warning.clear();
  former = libbpf_set_print(keep_warning);
}

LibbpfLog::~LibbpfLog() {
  libbpf_set_print(former);
}

std::string LibbpfLog::last_warning() const {
  constexpr std::string_view kPrefix = "libbpf: ";
  std::string text = warning.starts_with(kPrefix) ? warning.substr(kPrefix.size()) : warning;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.pop_back();
  }
  return text;
}

}  // namespace phalanx::adapters

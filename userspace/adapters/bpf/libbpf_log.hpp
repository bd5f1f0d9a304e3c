// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace phalanx::adapters {

// Keeps libbpf from printing while it lives, and holds its last warning for an error's sentence. libbpf's
// print function belongs to the process: at most one of these lives at a time.
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  // Without "libbpf: " and the line's end; empty when it did not warn.
  std::string last_warning() const;
};

}  // namespace phalanx::adapters

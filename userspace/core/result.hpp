// SPDX-License-Identifier: Apache-2.0
// Operating errors are values; programmer errors stop the program.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace phalanx {

// A sentence for an operator: what was tried, on what, why it failed, what to do next.
struct Error {
  std::string message;
};

// Either a value or an Error. Ignoring one is a compile-time warning.
template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Failure = tl::unexpected<Error>;

inline Failure fail(std::string message) {
  return Failure(Error{std::move(message)});
}

}  // namespace phalanx

// Stops the program, also in release builds: for what only a bug can make false.
#define PHX_CHECK(condition)                                                                      \
  do {                                                                                            \
    if (!(condition)) {                                                                           \
      std::fprintf(stderr, "%s:%d: internal check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                               \
    }                                                                                             \
  } while (false)

// SPDX-License-Identifier: Apache-2.0
// JSON text (RFC 8259, with // and /* */ comments) as a tree that knows the line of everything in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/config/problem.hpp"

namespace phalanx::adapters {

struct DocumentNode {
  enum class Kind : std::uint8_t { null, boolean, natural, negative, real, text, array, object };

  Kind kind = Kind::null;
  int line = 1;  // of the key where it is a member, else of the value
  bool boolean = false;
  std::uint64_t natural = 0;
  std::string text;                    // of a text; of a negative or real number as written
  std::vector<std::string> keys;       // of an object, as many as children
  std::vector<DocumentNode> children;  // of an array or object

  // The member of that key; null where there is none, or where this is no object.
  const DocumentNode* find(std::string_view key) const;
};

// Nesting beyond this is refused, so that no recursion over the tree can exhaust the stack.
inline constexpr std::size_t kMaxDocumentDepth = 32;

// Absent where the text is no JSON, with one problem that says so. A key written twice is a problem too, but
// the rest of the document is still read; the first value counts.
std::optional<DocumentNode> read_document(std::string_view text, Problems& problems);

// The line of what an RFC 6901 pointer names, or of the deepest existing part of it.
int line_of(const DocumentNode& root, std::string_view pointer);

// pointer + "/" + the escaped key.
std::string pointer_to(std::string_view pointer, std::string_view key);

}  // namespace phalanx::adapters

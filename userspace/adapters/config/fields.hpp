// SPDX-License-Identifier: Apache-2.0
// Typed values out of document nodes. Every read_* gives nothing where the field is absent, and nothing but a
// problem where its value is not what it should be, so that one pass names every error.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/config/document.hpp"
#include "adapters/config/problem.hpp"
#include "core/address.hpp"

namespace phalanx::adapters {

// A value and the place where it is written.
struct Field {
  const DocumentNode* node = nullptr;
  std::string pointer;
};

using MaybeField = std::optional<Field>;

// Reads an object member by member. A member that nobody asked for is unknown.
class ObjectReader {
 public:
  // A field that is no object is a problem; then no member is there, and none is missed.
  ObjectReader(Field field, Problems& problems);

  MaybeField optional(std::string_view key);
  // Its absence is a problem.
  MaybeField required(std::string_view key);
  // A key of the design that does nothing yet: any value is refused, except `accepted` (text) where the
  // program already does what that value says.
  void not_built(std::string_view key, std::string_view accepted = {});
  // To be called when all members were asked for: reports the unknown ones.
  void finish();

  const Field& field() const { return field_; }

 private:
  Field field_;
  Problems& problems_;
  bool is_object_;
  std::vector<std::string> asked_;
};

// The values that a text may have: those that are built, and those of the design that are not yet.
template <typename Value>
struct Choices {
  std::vector<std::pair<std::string_view, Value>> built;
  std::vector<std::string_view> planned;
};

void error_at(const Field& field, Problems& problems, std::string sentence);
void warning_at(const Field& field, Problems& problems, std::string sentence);

std::optional<std::string> read_text(const MaybeField& field, Problems& problems);
std::optional<bool> read_boolean(const MaybeField& field, Problems& problems);
std::optional<std::uint64_t> read_natural(const MaybeField& field, Problems& problems, std::uint64_t least,
                                          std::uint64_t most);
// A number 1..65535.
std::optional<std::uint16_t> read_port(const MaybeField& field, Problems& problems);
// "100ms", "2s", "1m" or "1h".
std::optional<std::chrono::milliseconds> read_duration(const MaybeField& field, Problems& problems,
                                                       std::chrono::milliseconds least,
                                                       std::chrono::milliseconds most);
// 1..63 of A-Z a-z 0-9 . _ -
std::optional<std::string> read_name(const MaybeField& field, Problems& problems);
bool is_name(std::string_view text);
inline constexpr std::string_view kNameRule =
    "a name has 1 to 63 letters, digits, dots, underscores or hyphens";
// An address of one host: neither unspecified, nor multicast, nor broadcast, nor of the loopback.
// `role` is what it is for, with its article: "a VIP".
std::optional<core::Address> read_host_address(const MaybeField& field, Problems& problems,
                                               std::string_view role);
// A prefix of such addresses, or one of them, with at most `most_bits` host bits, which must be clear.
std::optional<core::Prefix> read_host_prefix(const MaybeField& field, Problems& problems,
                                             std::string_view role, int most_bits);
// As it is written: an address where no host bits are free.
std::string host_or_prefix(const core::Prefix& prefix);
// A name of 1 to 15 characters that Linux takes for an interface.
std::optional<std::string> read_interface(const MaybeField& field, Problems& problems);
// The elements of a list. An empty one is a problem unless it may be empty.
enum class Emptiness : std::uint8_t { refused, allowed };
std::vector<Field> read_list(const MaybeField& field, Problems& problems,
                             Emptiness emptiness = Emptiness::refused);

// The one of `known` with the least edit distance. `known` is not empty.
std::string_view nearest(std::string_view word, const std::vector<std::string>& known);
// "a", "b" and "c", each in quotes.
std::string enumeration(const std::vector<std::string_view>& words);
std::string plain(std::chrono::milliseconds duration);

std::optional<std::size_t> choose(const MaybeField& field, Problems& problems,
                                  const std::vector<std::string_view>& built,
                                  const std::vector<std::string_view>& planned);

template <typename Value>
std::optional<Value> read_choice(const MaybeField& field, Problems& problems, const Choices<Value>& choices) {
  std::vector<std::string_view> words;
  for (const auto& [word, value] : choices.built) {
    words.push_back(word);
  }
  const auto index = choose(field, problems, words, choices.planned);
  return index ? std::optional(choices.built[*index].second) : std::nullopt;
}

// Leaves the default where there is no value.
template <typename Target, typename Value>
void set(Target& target, const std::optional<Value>& value) {
  if (value) {
    target = static_cast<Target>(*value);
  }
}

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "adapters/config/fields.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>

namespace phalanx::adapters {

namespace {

using Kind = DocumentNode::Kind;

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "a boolean";
    case Kind::natural:
    case Kind::negative:
    case Kind::real:
      return "a number";
    case Kind::text:
      return "a string";
    case Kind::array:
      return "a list";
    case Kind::object:
      return "an object";
  }
  return "a value";
}

// Whether the node is of that kind; reports where it is not. `wanted` has its article: "a string".
bool expect(const Field& field, Problems& problems, Kind kind, std::string_view wanted) {
  if (field.node->kind == kind) {
    return true;
  }
  error_at(field, problems,
           "this must be " + std::string(wanted) + ", not " + std::string(kind_name(field.node->kind)));
  return false;
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t replaced = diagonal + (left[i] == right[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

bool is_interface_name(std::string_view text) {
  const bool plain_text = std::all_of(text.begin(), text.end(), [](char letter) {
    return letter > ' ' && letter < 0x7f && letter != '/' && letter != ':' && letter != '%';
  });
  return plain_text && !text.empty() && text.size() <= 15 && text != "." && text != "..";
}

// What keeps the address from being one host's; empty where nothing does.
std::string_view not_a_host(const core::Address& address) {
  const auto& bytes = address.bytes;
  if (std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; })) {
    return "an unspecified";
  }
  if (address.family == core::Family::ipv4) {
    if (bytes[0] == 0) {
      return "of this network (0.0.0.0/8)";
    }
    if (bytes[0] == 127) {
      return "a loopback";
    }
    if (bytes[0] >= 224) {
      return bytes[0] < 240 ? "a multicast" : "a reserved or broadcast";
    }
    return {};
  }
  const bool zeros = std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t byte) { return byte == 0; });
  if (zeros && bytes[15] == 1) {
    return "a loopback";
  }
  return bytes[0] == 0xff ? "a multicast" : std::string_view{};
}

}  // namespace

ObjectReader::ObjectReader(Field field, Problems& problems)
    : field_(std::move(field)),
      problems_(problems),
      is_object_(expect(field_, problems, Kind::object, "an object")) {}

MaybeField ObjectReader::optional(std::string_view key) {
  asked_.emplace_back(key);
  const DocumentNode* node = is_object_ ? field_.node->find(key) : nullptr;
  return node == nullptr ? std::nullopt : MaybeField({node, pointer_to(field_.pointer, key)});
}

MaybeField ObjectReader::required(std::string_view key) {
  auto member = optional(key);
  if (!member && is_object_) {
    error_at(field_, problems_, "the key " + quoted(key) + " is missing here");
  }
  return member;
}

void ObjectReader::not_built(std::string_view key, std::string_view accepted) {
  const auto member = optional(key);
  if (!member) {
    return;
  }
  if (accepted.empty()) {
    error_at(*member, problems_, "this key is not built yet; leave it out");
  } else if (member->node->kind != Kind::text || member->node->text != accepted) {
    error_at(*member, problems_,
             "only " + quoted(accepted) + " is built yet; write that, or leave the key out");
  }
}

void ObjectReader::finish() {
  for (std::size_t i = 0; is_object_ && i < field_.node->keys.size(); ++i) {
    const std::string& key = field_.node->keys[i];
    if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) {
      problems_.error(field_.node->children[i].line, pointer_to(field_.pointer, key),
                      "there is no such key here; the nearest known one is " + quoted(nearest(key, asked_)));
    }
  }
}

void error_at(const Field& field, Problems& problems, std::string sentence) {
  problems.error(field.node->line, field.pointer, std::move(sentence));
}

void warning_at(const Field& field, Problems& problems, std::string sentence) {
  problems.warning(field.node->line, field.pointer, std::move(sentence));
}

std::optional<std::string> read_text(const MaybeField& field, Problems& problems) {
  if (!field || !expect(*field, problems, Kind::text, "a string")) {
    return std::nullopt;
  }
  return field->node->text;
}

std::optional<bool> read_boolean(const MaybeField& field, Problems& problems) {
  if (!field || !expect(*field, problems, Kind::boolean, "true or false")) {
    return std::nullopt;
  }
  return field->node->boolean;
}

std::optional<std::uint64_t> read_natural(const MaybeField& field, Problems& problems, std::uint64_t least,
                                          std::uint64_t most) {
  if (!field) {
    return std::nullopt;
  }
  const DocumentNode& node = *field->node;
  if (node.kind == Kind::natural && node.natural >= least && node.natural <= most) {
    return node.natural;
  }
  const bool number = node.kind == Kind::natural || node.kind == Kind::negative || node.kind == Kind::real;
  const std::string shown = !number                      ? std::string(kind_name(node.kind))
                            : node.kind == Kind::natural ? std::to_string(node.natural)
                                                         : node.text;
  error_at(*field, problems,
           "this must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
               ", not " + shown);
  return std::nullopt;
}

std::optional<std::uint16_t> read_port(const MaybeField& field, Problems& problems) {
  if (field && field->node->kind == Kind::text && field->node->text == "any") {
    error_at(*field, problems, "the port \"any\" is not built yet; write a number from 1 to 65535");
    return std::nullopt;
  }
  const auto number = read_natural(field, problems, 1, 65535);
  return number ? std::optional(static_cast<std::uint16_t>(*number)) : std::nullopt;
}

std::optional<std::chrono::milliseconds> read_duration(const MaybeField& field, Problems& problems,
                                                       std::chrono::milliseconds least,
                                                       std::chrono::milliseconds most) {
  const auto text = read_text(field, problems);
  if (!text) {
    return std::nullopt;
  }
  std::uint64_t count = 0;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, count);
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  const std::vector<std::pair<std::string_view, std::uint64_t>> units = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  const auto known = std::find_if(units.begin(), units.end(),
                                  [&](const auto& candidate) { return candidate.first == unit; });
  if (error == std::errc::invalid_argument || known == units.end()) {
    error_at(
        *field, problems,
        quoted(*text) + " is not a duration; write a whole number with ms, s, m or h, such as \"100ms\"");
    return std::nullopt;
  }
  const auto most_ms = static_cast<std::uint64_t>(most.count());
  const bool overflow = error != std::errc{} || count > most_ms / known->second;
  const std::chrono::milliseconds value{overflow ? 0 : static_cast<std::int64_t>(count * known->second)};
  if (overflow || value < least) {
    error_at(*field, problems, quoted(*text) + " is not between " + plain(least) + " and " + plain(most));
    return std::nullopt;
  }
  return value;
}

bool is_name(std::string_view text) {
  const bool letters = std::all_of(text.begin(), text.end(), [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '.' || letter == '_' || letter == '-';
  });
  return letters && !text.empty() && text.size() <= 63;
}

std::optional<std::string> read_name(const MaybeField& field, Problems& problems) {
  auto text = read_text(field, problems);
  if (text && !is_name(*text)) {
    error_at(*field, problems, quoted(*text) + " is not a name; " + std::string(kNameRule));
    return std::nullopt;
  }
  return text;
}

std::optional<core::Address> read_host_address(const MaybeField& field, Problems& problems,
                                               std::string_view role) {
  const auto text = read_text(field, problems);
  if (!text) {
    return std::nullopt;
  }
  const auto address = core::parse_address(*text);
  if (!address) {
    error_at(*field, problems, quoted(*text) + " is neither an IPv4 nor an IPv6 address");
    return std::nullopt;
  }
  if (const auto obstacle = not_a_host(*address); !obstacle.empty()) {
    error_at(*field, problems,
             *text + " is " + std::string(obstacle) + " address and cannot be " + std::string(role));
    return std::nullopt;
  }
  return address;
}

std::optional<core::Prefix> read_host_prefix(const MaybeField& field, Problems& problems,
                                             std::string_view role, int most_bits) {
  const auto text = read_text(field, problems);
  if (!text) {
    return std::nullopt;
  }
  const auto prefix = core::parse_prefix(*text);
  if (!prefix) {
    error_at(*field, problems,
             quoted(*text) + " is no address and no prefix, such as \"10.9.0.5\" or \"10.9.0.0/24\"");
    return std::nullopt;
  }
  if (prefix->host_bits() > most_bits) {
    error_at(*field, problems,
             *text + " leaves " + std::to_string(prefix->host_bits()) + " host bits; at most " +
                 std::to_string(most_bits) + " can be filled in");
    return std::nullopt;
  }
  if (const core::Prefix clear{core::first_of(*prefix), prefix->length}; clear != *prefix) {
    error_at(*field, problems,
             "the host part of " + *text + " is not zero; write " + host_or_prefix(clear) +
                 ", or the address alone to have no other");
    return std::nullopt;
  }
  for (const core::Address& end : {prefix->address, core::last_of(*prefix)}) {
    if (const auto obstacle = not_a_host(end); !obstacle.empty()) {
      error_at(
          *field, problems,
          to_string(end) + " is " + std::string(obstacle) + " address and cannot be " + std::string(role));
      return std::nullopt;
    }
  }
  return prefix;
}

std::string host_or_prefix(const core::Prefix& prefix) {
  return prefix.host_bits() == 0 ? to_string(prefix.address) : to_string(prefix);
}

std::optional<std::string> read_interface(const MaybeField& field, Problems& problems) {
  auto text = read_text(field, problems);
  if (text && !is_interface_name(*text)) {
    error_at(
        *field, problems,
        quoted(*text) + " cannot be an interface: a name has 1 to 15 characters, no space, '/', ':' or '%'");
    return std::nullopt;
  }
  return text;
}

std::vector<Field> read_list(const MaybeField& field, Problems& problems, Emptiness emptiness) {
  std::vector<Field> elements;
  if (!field || !expect(*field, problems, Kind::array, "a list")) {
    return elements;
  }
  if (field->node->children.empty() && emptiness == Emptiness::refused) {
    error_at(*field, problems, "this list is empty; it needs at least one element");
  }
  for (std::size_t i = 0; i < field->node->children.size(); ++i) {
    elements.push_back({&field->node->children[i], pointer_to(field->pointer, std::to_string(i))});
  }
  return elements;
}

std::string_view nearest(std::string_view word, const std::vector<std::string>& known) {
  constexpr std::size_t kLongest = 100;  // a longer word is near to nothing, and the distance is quadratic
  return *std::min_element(known.begin(), known.end(), [&](const auto& left, const auto& right) {
    const std::string_view start = word.substr(0, kLongest);
    return edit_distance(start, left) < edit_distance(start, right);
  });
}

std::string enumeration(const std::vector<std::string_view>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + quoted(words[i]);
  }
  return text;
}

std::string plain(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  if (count == 0) {
    return "0s";
  }
  if (count % 3'600'000 == 0) {
    return std::to_string(count / 3'600'000) + "h";
  }
  if (count % 60'000 == 0) {
    return std::to_string(count / 60'000) + "m";
  }
  return count % 1000 == 0 ? std::to_string(count / 1000) + "s" : std::to_string(count) + "ms";
}

std::optional<std::size_t> choose(const MaybeField& field, Problems& problems,
                                  const std::vector<std::string_view>& built,
                                  const std::vector<std::string_view>& planned) {
  const auto text = read_text(field, problems);
  if (!text) {
    return std::nullopt;
  }
  if (const auto found = std::find(built.begin(), built.end(), *text); found != built.end()) {
    return static_cast<std::size_t>(found - built.begin());
  }
  const bool known = std::find(planned.begin(), planned.end(), *text) != planned.end();
  error_at(*field, problems,
           quoted(*text) + (known ? " is not built yet; built so far: " : " is not known; known are ") +
               enumeration(built));
  return std::nullopt;
}

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#include "adapters/config/decode_check.hpp"

#include <algorithm>
#include <string>

namespace phalanx::adapters {

namespace {

using std::chrono::milliseconds;

std::optional<core::StatusRange> status_range(std::string_view text) {
  const std::size_t hyphen = text.find('-');
  const auto number = [](std::string_view digits) -> std::optional<int> {
    const bool three_digits = digits.size() == 3 && std::all_of(digits.begin(), digits.end(), [](char digit) {
                                return digit >= '0' && digit <= '9';
                              });
    return three_digits ? std::optional(std::stoi(std::string(digits))) : std::nullopt;
  };
  const auto first = number(text.substr(0, hyphen));
  const auto last = hyphen == std::string_view::npos ? first : number(text.substr(hyphen + 1));
  if (!first || !last || *first < 100 || *last > 599 || *first > *last) {
    return std::nullopt;
  }
  return core::StatusRange{*first, *last};
}

void decode_expect_status(const MaybeField& field, core::Check& check, Problems& problems) {
  if (!field) {
    return;
  }
  check.expect_status.clear();
  for (const Field& element : read_list(field, problems)) {
    const bool number = element.node->kind == DocumentNode::Kind::natural;
    const auto text =
        number ? std::optional(std::to_string(element.node->natural)) : read_text(element, problems);
    const auto range = text ? status_range(*text) : std::nullopt;
    if (range) {
      check.expect_status.push_back(*range);
    } else if (text) {
      error_at(element, problems,
               quoted(*text) + " is no status from 100 to 599 nor a range such as \"200-299\"");
    }
  }
}

// Text for the request's first line or a field: visible ASCII, so that it can't end the line.
void decode_visible(const MaybeField& field, std::string& target, char first, Problems& problems) {
  constexpr std::size_t kLongest = 1024;
  const auto text = read_text(field, problems);
  if (!text) {
    return;
  }
  const bool visible =
      std::all_of(text->begin(), text->end(), [](char letter) { return letter > ' ' && letter < 0x7f; });
  if (text->empty() || !visible || text->size() > kLongest) {
    error_at(*field, problems, "this must have 1 to 1024 visible ASCII characters and no space");
  } else if (first != '\0' && text->front() != first) {
    error_at(*field, problems, quoted(*text) + " must begin with '" + first + "'");
  } else {
    target = *text;
  }
}

void decode_http_keys(ObjectReader& reader, core::Check& check, Problems& problems) {
  const auto path = reader.optional("path");
  const auto host = reader.optional("host");
  const auto expect_status = reader.optional("expect_status");
  if (check.type == core::CheckType::http) {
    decode_visible(path, check.path, '/', problems);
    decode_visible(host, check.host, '\0', problems);
    decode_expect_status(expect_status, check, problems);
    return;
  }
  for (const auto& field : {path, host, expect_status}) {
    if (field) {
      error_at(*field, problems, "this belongs to checks of type \"http\" only");
    }
  }
}

}  // namespace

core::Check decode_check(const Field& field, Problems& problems) {
  core::Check check;
  ObjectReader reader(field, problems);
  const Choices<core::CheckType> types{{{"tcp", core::CheckType::tcp}, {"http", core::CheckType::http}},
                                       {"https", "udp", "icmp", "dns", "grpc", "heartbeat"}};
  const auto type_field = reader.required("type");
  const auto type = read_choice(type_field, problems, types);
  set(check.type, type);
  set(check.port, read_port(reader.optional("port"), problems));
  set(check.interval,
      read_duration(reader.optional("interval"), problems, milliseconds(10), std::chrono::hours(1)));
  const auto timeout_field = reader.optional("timeout");
  set(check.timeout, read_duration(timeout_field, problems, milliseconds(1), std::chrono::hours(1)));
  if (check.timeout > check.interval) {
    error_at(timeout_field.value_or(field), problems,
             "the timeout (" + plain(check.timeout) + (timeout_field ? "" : " where none is written") +
                 ") is longer than the interval (" + plain(check.interval) +
                 "); a probe must end before the next begins");
  }
  set(check.fall, read_natural(reader.optional("fall"), problems, 1, 100));
  set(check.rise, read_natural(reader.optional("rise"), problems, 1, 100));
  if (type) {
    decode_http_keys(reader, check, problems);
    reader.finish();
  }
  return check;
}

}  // namespace phalanx::adapters

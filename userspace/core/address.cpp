// SPDX-License-Identifier: Apache-2.0
#include "core/address.hpp"

#include <charconv>

namespace phalanx::core {

namespace {

using Groups = std::array<std::uint16_t, 8>;

// A decimal number without sign, leading zero or anything after it, of at most `limit`.
std::optional<unsigned> parse_decimal(std::string_view text, unsigned limit) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  unsigned value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 10);
  if (error != std::errc{} || stop != end || value > limit) {
    return std::nullopt;
  }
  return value;
}

std::optional<Address> parse_ipv4(std::string_view text) {
  Address address;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t dot = i == 3 ? text.size() : text.find('.');
    if (dot == std::string_view::npos) {
      return std::nullopt;
    }
    const auto octet = parse_decimal(text.substr(0, dot), 255);
    if (!octet) {
      return std::nullopt;
    }
    address.bytes[i] = static_cast<std::uint8_t>(*octet);
    text.remove_prefix(i == 3 ? dot : dot + 1);
  }
  return address;
}

std::optional<std::uint16_t> parse_group(std::string_view text) {
  std::uint16_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
  if (text.empty() || text.size() > 4 || error != std::errc{} || stop != end) {
    return std::nullopt;
  }
  return value;
}

// The groups on one side of "::", the last of which may be a dotted quad. Returns how many there are.
std::optional<std::size_t> parse_groups(std::string_view text, bool quad_allowed, Groups& groups) {
  std::size_t count = 0;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const bool last = colon == std::string_view::npos;
    const std::string_view word = text.substr(0, colon);
    if (last && quad_allowed && word.find('.') != std::string_view::npos) {
      const auto quad = parse_ipv4(word);
      if (!quad || count + 2 > groups.size()) {
        return std::nullopt;
      }
      groups[count++] = static_cast<std::uint16_t>(quad->bytes[0] << 8 | quad->bytes[1]);
      groups[count++] = static_cast<std::uint16_t>(quad->bytes[2] << 8 | quad->bytes[3]);
      return count;
    }
    const auto group = parse_group(word);
    if (!group || count == groups.size()) {
      return std::nullopt;
    }
    groups[count++] = *group;
    if (last) {
      return count;
    }
    text.remove_prefix(colon + 1);
    if (text.empty()) {
      return std::nullopt;  // ends in a single colon
    }
  }
  return count;
}

Address from_groups(const Groups& groups) {
  Address address;
  address.family = Family::ipv6;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    address.bytes[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8);
    address.bytes[2 * i + 1] = static_cast<std::uint8_t>(groups[i] & 0xff);
  }
  return address;
}

std::optional<Address> parse_ipv6(std::string_view text) {
  Groups head{};
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const auto count = parse_groups(text, true, head);
    return count == head.size() ? std::optional(from_groups(head)) : std::nullopt;
  }
  Groups tail{};
  const auto before = parse_groups(text.substr(0, gap), false, head);
  const auto after = parse_groups(text.substr(gap + 2), true, tail);
  // "::" stands for at least one group.
  if (!before || !after || *before + *after >= head.size()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < *after; ++i) {
    head[head.size() - *after + i] = tail[i];
  }
  return from_groups(head);
}

std::string format_ipv4(const std::uint8_t* bytes) {
  std::string text;
  for (int i = 0; i < 4; ++i) {
    text += (i > 0 ? "." : "") + std::to_string(bytes[i]);
  }
  return text;
}

struct ZeroRun {
  std::size_t start = 0;
  std::size_t length = 0;
};

// RFC 5952 section 4.2: the longest run of zero groups, the first of equals; a single zero is not shortened.
ZeroRun longest_zero_run(const Groups& groups) {
  ZeroRun best;
  ZeroRun current;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i] != 0) {
      current = {};
      continue;
    }
    if (current.length++ == 0) {
      current.start = i;
    }
    if (current.length > best.length) {
      best = current;
    }
  }
  return best.length < 2 ? ZeroRun{groups.size(), 0} : best;
}

bool is_ipv4_mapped(const Groups& groups) {
  for (std::size_t i = 0; i < 5; ++i) {
    if (groups[i] != 0) {
      return false;
    }
  }
  return groups[5] == 0xffff;
}

std::string format_ipv6(const Address& address) {
  Groups groups{};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i] = static_cast<std::uint16_t>(address.bytes[2 * i] << 8 | address.bytes[2 * i + 1]);
  }
  if (is_ipv4_mapped(groups)) {  // RFC 5952 section 5
    return "::ffff:" + format_ipv4(address.bytes.data() + 12);
  }
  const ZeroRun run = longest_zero_run(groups);
  std::string text;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (i == run.start) {
      text += "::";
      i += run.length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') {
      text += ':';
    }
    std::array<char, 4> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), groups[i], 16).ptr;
    text.append(digits.data(), end);
  }
  return text;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  return text.find(':') == std::string_view::npos ? parse_ipv4(text) : parse_ipv6(text);
}

std::string to_string(const Address& address) {
  return address.family == Family::ipv4 ? format_ipv4(address.bytes.data()) : format_ipv6(address);
}

std::optional<Prefix> parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) {
    return std::nullopt;
  }
  const int bits = address->size() * 8;
  if (slash == std::string_view::npos) {
    return Prefix{*address, bits};
  }
  const auto length = parse_decimal(text.substr(slash + 1), static_cast<unsigned>(bits));
  return length ? std::optional(Prefix{*address, static_cast<int>(*length)}) : std::nullopt;
}

std::string to_string(const Prefix& prefix) {
  return to_string(prefix.address) + "/" + std::to_string(prefix.length);
}

Address first_of(const Prefix& prefix) {
  Address first = prefix.address;
  for (int bit = prefix.length; bit < first.size() * 8; ++bit) {
    first.bytes[static_cast<std::size_t>(bit) / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
  }
  return first;
}

Address last_of(const Prefix& prefix) {
  Address last = prefix.address;
  for (int bit = prefix.length; bit < last.size() * 8; ++bit) {
    last.bytes[static_cast<std::size_t>(bit) / 8] |= static_cast<std::uint8_t>(0x80u >> (bit % 8));
  }
  return last;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  }
  const auto address = parse_address(host);
  const auto port = parse_decimal(text.substr(colon + 1), 65535);
  if (!address || !port || bracketed != (address->family == Family::ipv6)) {
    return std::nullopt;
  }
  return Endpoint{*address, static_cast<std::uint16_t>(*port)};
}

std::string to_string(const Endpoint& endpoint) {
  const std::string host = to_string(endpoint.address);
  const std::string port = std::to_string(endpoint.port);
  return endpoint.address.family == Family::ipv4 ? host + ":" + port : "[" + host + "]:" + port;
}

}  // namespace phalanx::core

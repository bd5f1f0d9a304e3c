// SPDX-License-Identifier: Apache-2.0
#include "packet.hpp"

#include <algorithm>
#include <utility>

namespace phalanx::test {
namespace {

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint8_t kFragmentHeader = 44;
constexpr std::uint8_t kAuthenticationHeader = 51;

std::string name_of(std::uint8_t protocol) {
  switch (protocol) {
    case kIcmp:
      return "ICMP";
    case kTcp:
      return "TCP";
    case kUdp:
      return "UDP";
    case kIcmp6:
      return "ICMPv6";
    default:
      return "protocol " + std::to_string(protocol);
  }
}

void put16(Bytes& bytes, std::size_t at, unsigned value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

void append32(Bytes& bytes, std::uint32_t value) {
  append16(bytes, value >> 16);
  append16(bytes, value & 0xffff);
}

}  // namespace

void append16(Bytes& bytes, unsigned value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

void append(Bytes& bytes, const Bytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

std::uint16_t internet_checksum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    const unsigned low = i + 1 < bytes.size() ? bytes[i + 1] : 0;
    sum += static_cast<unsigned>(bytes[i]) << 8 | low;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}

Packet::Packet(std::uint8_t protocol, Endpoint from, Endpoint to)
    : protocol_(protocol),
      from_(std::move(from)),
      to_(std::move(to)),
      payload_(32),
      version_(is_ipv6(to_.address) ? 6 : 4) {
  payload(32);
}

Packet& Packet::payload(std::size_t size) {
  payload_.resize(size);
  for (std::size_t i = 0; i < size; i++) payload_[i] = static_cast<std::uint8_t>(i * 7 + 3);
  return *this;
}

Packet& Packet::carrying(Bytes bytes) {
  return carried_ = std::move(bytes), *this;
}
Packet& Packet::traffic_class(std::uint8_t value) {
  return traffic_class_ = value, *this;
}
Packet& Packet::ttl(std::uint8_t value) {
  return ttl_ = value, *this;
}
Packet& Packet::protocol(std::uint8_t value) {
  return protocol_ = value, *this;
}
Packet& Packet::icmp_type(std::uint8_t type, std::uint8_t code) {
  return icmp_type_ = type, icmp_code_ = code, *this;
}
Packet& Packet::flags(std::uint8_t value) {
  return flags_ = value, *this;
}
Packet& Packet::numbers(std::uint32_t sequence, std::uint32_t acknowledgment) {
  return sequence_ = sequence, acknowledgment_ = acknowledgment, *this;
}
Packet& Packet::window(std::uint16_t value) {
  return window_ = value, *this;
}
Packet& Packet::claiming_data_offset(std::uint8_t words) {
  return data_offset_ = words, *this;
}
Packet& Packet::without_checksum() {
  return has_checksum_ = false, *this;
}
Packet& Packet::label(std::uint16_t value) {
  return label_ = value, *this;
}
Packet& Packet::options(unsigned words) {
  return options(Bytes(words * 4, 1));  // option 1: no operation
}
Packet& Packet::options(Bytes bytes) {
  return options_ = std::move(bytes), *this;
}
Packet& Packet::may_be_fragmented() {
  return dont_fragment_ = false, *this;
}
Packet& Packet::datagram(std::uint32_t id) {
  return datagram_ = id, *this;
}
Packet Packet::piece(unsigned offset, std::size_t size) const {
  const Bytes whole = l4();
  Packet fragment = *this;
  const std::size_t begin = std::min(std::size_t{offset} * 8, whole.size());
  const std::size_t end = std::min(begin + size, whole.size());
  fragment.carrying(Bytes(whole.begin() + static_cast<std::ptrdiff_t>(begin),
                          whole.begin() + static_cast<std::ptrdiff_t>(end)));
  return fragment.fragment(offset, end < whole.size());
}
Packet& Packet::fragment(unsigned offset, bool more) {
  return fragment_ = Fragment{offset, more}, *this;
}
Packet& Packet::extension(std::uint8_t kind, std::size_t size) {
  return extensions_.push_back({kind, size}), *this;
}
Packet& Packet::vlan(std::uint16_t id, std::uint16_t type) {
  return tags_.push_back({type, id}), *this;
}
Packet& Packet::destination_mac(std::uint64_t mac) {
  return destination_mac_ = mac, *this;
}
Packet& Packet::claiming_version(std::uint8_t version) {
  return version_ = version, *this;
}
Packet& Packet::claiming_header_words(std::uint8_t words) {
  return claimed_words_ = words, *this;
}
Packet& Packet::claiming_length(std::uint16_t length) {
  return claimed_length_ = length, *this;
}
Packet& Packet::padded_to(std::size_t frame_size) {
  return frame_size_ = frame_size, *this;
}

Bytes Packet::l4_header() const {
  Bytes header;
  if (protocol_ == kIcmp || protocol_ == kIcmp6) return {icmp_type_, icmp_code_, 0, 0, 0x12, 0x34, 0, 1};
  append16(header, from_.port);
  append16(header, to_.port);
  if (protocol_ == kTcp) {
    append32(header, sequence_);
    append32(header, acknowledgment_);
    append(header, {static_cast<std::uint8_t>(data_offset_ << 4), flags_});
    append16(header, window_);
    append32(header, 0);
  } else {
    append16(header, static_cast<unsigned>(8 + payload_.size()));
    append16(header, 0);
  }
  return header;
}

Bytes Packet::pseudo_header(std::size_t length) const {
  Bytes pseudo = address_bytes(from_.address);
  append(pseudo, address_bytes(to_.address));
  append16(pseudo, static_cast<unsigned>(length));
  append16(pseudo, protocol_);
  return pseudo;
}

Bytes Packet::l4() const {
  if (carried_) return *carried_;
  Bytes bytes = l4_header();
  append(bytes, payload_);
  Bytes covered = protocol_ == kIcmp ? Bytes{} : pseudo_header(bytes.size());
  append(covered, bytes);
  const std::size_t at = protocol_ == kTcp ? 16 : protocol_ == kUdp ? 6 : 2;
  put16(bytes, at, checksum_of(covered));
  return bytes;
}

// RFC 768: where the checksum of a UDP datagram comes to 0, it is 0xffff.
unsigned Packet::checksum_of(const Bytes& covered) const {
  if (!has_checksum_) return 0;
  const unsigned checksum = internet_checksum(covered);
  return checksum == 0 && protocol_ == kUdp ? 0xffff : checksum;
}

Bytes Packet::ipv4(const Bytes& l4) const {
  const std::size_t size = 20 + options_.size() + l4.size();
  const auto words =
      static_cast<unsigned>(claimed_words_.value_or(static_cast<std::uint8_t>(5 + options_.size() / 4)));
  Bytes header{static_cast<std::uint8_t>(version_ << 4 | words), traffic_class_};
  append16(header, claimed_length_.value_or(static_cast<std::uint16_t>(size)));
  append16(header, label_);
  const unsigned whole = dont_fragment_ ? 0x4000u : 0u;
  append16(header, fragment_ ? (fragment_->more ? 0x2000u : 0u) | fragment_->offset : whole);
  append(header, {ttl_, protocol_, 0, 0});
  append(header, address_bytes(from_.address));
  append(header, address_bytes(to_.address));
  append(header, options_);
  put16(header, 10, internet_checksum(header));
  return header;
}

Bytes Packet::ipv6(const Bytes& l4) const {
  Bytes chain;
  const std::uint8_t behind = fragment_ ? kFragmentHeader : protocol_;
  for (std::size_t i = 0; i < extensions_.size(); i++) {
    const auto [kind, size] = extensions_[i];
    const std::uint8_t next = i + 1 < extensions_.size() ? extensions_[i + 1].kind : behind;
    const std::size_t units = kind == kAuthenticationHeader ? size / 4 - 2 : size / 8 - 1;
    Bytes extension{next, static_cast<std::uint8_t>(units), 1, 4};
    extension.resize(size);
    append(chain, extension);
  }
  if (fragment_) {
    append(chain, {protocol_, 0});
    append16(chain, fragment_->offset << 3 | (fragment_->more ? 1u : 0u));
    append32(chain, datagram_);
  }
  Bytes header;
  append16(header, static_cast<unsigned>(version_) << 12 | static_cast<unsigned>(traffic_class_) << 4);
  append16(header, label_);
  append16(header, claimed_length_.value_or(static_cast<std::uint16_t>(chain.size() + l4.size())));
  append(header, {extensions_.empty() ? behind : extensions_[0].kind, ttl_});
  append(header, address_bytes(from_.address));
  append(header, address_bytes(to_.address));
  append(header, chain);
  return header;
}

Bytes Packet::ip() const {
  const Bytes content = l4();
  Bytes bytes = is_ipv6(to_.address) ? ipv6(content) : ipv4(content);
  append(bytes, content);
  return bytes;
}

Bytes Packet::frame() const {
  Bytes bytes;
  for (int shift = 40; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<std::uint8_t>(destination_mac_ >> shift));
  }
  append(bytes, {0x02, 0x00, 0x00, 0x00, 0xcc, 0x01});
  for (const Tag& tag : tags_) {
    append16(bytes, tag.type);
    append16(bytes, tag.id);
  }
  append16(bytes, is_ipv6(to_.address) ? 0x86dd : 0x0800);
  append(bytes, ip());
  if (bytes.size() < frame_size_) bytes.resize(frame_size_);
  return bytes;
}

std::string Packet::shape() const {
  const bool icmp = protocol_ == kIcmp || protocol_ == kIcmp6;
  std::string text = name_of(protocol_) + (icmp ? " type " + std::to_string(icmp_type_) : "") + " " +
                     from_.address + " > " + to_.address;
  if (!icmp) text += " port " + std::to_string(to_.port);
  for (const Tag& tag : tags_) text += ", VLAN " + std::to_string(tag.id);
  if (!options_.empty()) text += ", " + std::to_string(options_.size()) + " bytes of options";
  for (const Extension& extension : extensions_) text += ", extension " + std::to_string(extension.kind);
  if (fragment_ && fragment_->offset == 0) text += fragment_->more ? ", first fragment" : ", atomic fragment";
  if (fragment_ && fragment_->offset != 0) text += fragment_->more ? ", middle fragment" : ", last fragment";
  if (ttl_ <= 1) text += ", TTL " + std::to_string(ttl_);
  if (protocol_ == kTcp && (flags_ & kSyn) != 0) text += ", SYN";
  if (protocol_ == kTcp && (flags_ & kRst) != 0) text += ", RST";
  if (version_ != (is_ipv6(to_.address) ? 6 : 4)) text += ", version " + std::to_string(version_);
  if (claimed_words_) text += ", header of " + std::to_string(*claimed_words_) + " words";
  if (claimed_length_) text += ", lying length";
  if (destination_mac_ >> 40 & 1) text += ", to a group of stations";
  return text;
}

Packet error_about(const Packet& about, const std::string& router, std::uint8_t type, std::uint8_t code,
                   std::size_t size, std::uint32_t rest) {
  const bool ipv6 = is_ipv6(about.to().address);
  const Endpoint sender{about.from().address};
  Bytes error{type, code, 0, 0};
  append32(error, rest);
  const Bytes quoted = about.ip();
  error.insert(error.end(), quoted.begin(),
               quoted.begin() + static_cast<std::ptrdiff_t>(std::min(size, quoted.size())));
  Bytes covered;
  if (ipv6) {  // RFC 8200 section 8.1
    covered = address_bytes(router);
    append(covered, address_bytes(sender.address));
    append32(covered, static_cast<std::uint32_t>(error.size()));
    append32(covered, kIcmp6);
  }
  append(covered, error);
  put16(error, 2, internet_checksum(covered));
  return Packet(ipv6 ? kIcmp6 : kIcmp, {router}, sender).icmp_type(type, code).carrying(error);
}

Packet tcp4(const Endpoint& from, const Endpoint& to) {
  return {kTcp, from, to};
}
Packet udp4(const Endpoint& from, const Endpoint& to) {
  return {kUdp, from, to};
}
Packet tcp6(const Endpoint& from, const Endpoint& to) {
  return {kTcp, from, to};
}
Packet udp6(const Endpoint& from, const Endpoint& to) {
  return {kUdp, from, to};
}
Packet ping4(const Endpoint& from, const Endpoint& to) {
  return Packet(kIcmp, from, to).icmp_type(8);
}
Packet ping6(const Endpoint& from, const Endpoint& to) {
  return Packet(kIcmp6, from, to).icmp_type(128);
}

Packet tunnel(const std::string& node, const std::string& backend, const Bytes& inner, bool inner_is_ipv6) {
  return Packet(inner_is_ipv6 ? 41 : 4, {node}, {backend}).carrying(inner);
}

Packet tunnel(const std::string& node, const std::string& backend, const Packet& inner) {
  return tunnel(node, backend, inner.ip(), is_ipv6(inner.to().address));
}

Packet gue_tunnel(const std::string& node, const std::string& backend, const Packet& inner,
                  const Gue& header) {
  const Bytes ip = inner.ip();
  const std::size_t size = 12 + header.private_data.size() + ip.size();
  const auto words = header.words.value_or(static_cast<std::uint8_t>(header.private_data.size() / 4));
  const std::uint8_t inner_protocol = is_ipv6(inner.to().address) ? 41 : 4;
  Bytes bytes{0xc1, 0x23};
  append16(bytes, header.port);
  append16(bytes, header.udp_length.value_or(static_cast<std::uint16_t>(size)));
  append16(bytes, header.checksum);
  append(bytes, {static_cast<std::uint8_t>(header.version << 6 | (header.control ? 0x20 : 0) | words),
                 header.protocol.value_or(inner_protocol)});
  append16(bytes, header.flags);
  append(bytes, header.private_data);
  append(bytes, ip);
  return Packet(kUdp, {node}, {backend}).carrying(bytes);
}

}  // namespace phalanx::test

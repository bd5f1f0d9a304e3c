// SPDX-License-Identifier: Apache-2.0
// Frames, built word by word: tcp4(client, vip).payload(100).vlan(7). Shares no code with bpf/lib, which it
// tests. A packet is sound (lengths, checksums) unless one of the calls below makes it lie.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "address.hpp"

namespace phalanx::test {

// Flags of a TCP header.
constexpr std::uint8_t kFin = 0x01;
constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kRst = 0x04;
constexpr std::uint8_t kPush = 0x08;
constexpr std::uint8_t kAck = 0x10;

// The Internet checksum (RFC 1071) over bytes, straight from the definition.
std::uint16_t internet_checksum(const Bytes& bytes);

void append16(Bytes& bytes, unsigned value);
void append(Bytes& bytes, const Bytes& more);

class Packet {
 public:
  Packet(std::uint8_t protocol, Endpoint from, Endpoint to);

  Packet& payload(std::size_t size);
  // Instead of an L4 header and a payload: these bytes.
  Packet& carrying(Bytes bytes);
  Packet& traffic_class(std::uint8_t value);
  Packet& ttl(std::uint8_t value);
  Packet& protocol(std::uint8_t value);
  Packet& icmp_type(std::uint8_t type, std::uint8_t code = 0);
  // TCP: as the header says; a segment is an ACK with data unless told.
  Packet& flags(std::uint8_t value);
  Packet& numbers(std::uint32_t sequence, std::uint32_t acknowledgment);
  Packet& window(std::uint16_t value);
  // TCP: the upper half of the byte, in words of 4 bytes.
  Packet& claiming_data_offset(std::uint8_t words);
  // UDP: 0 where the checksum is, which says that there is none.
  Packet& without_checksum();
  // IPv4: the id. IPv6: the flow label.
  Packet& label(std::uint16_t value);
  // IPv4 header options, in words of 4 bytes.
  Packet& options(unsigned words);
  // IPv4 header options, these bytes, a multiple of 4.
  Packet& options(Bytes bytes);
  // IPv4: flags and offset; IPv6: a fragment header behind the extension headers. offset in units of 8 bytes.
  // What the fragment has is what the packet would have as a whole, unless carrying() says otherwise.
  Packet& fragment(unsigned offset, bool more);
  // IPv4: the id that label() sets; IPv6: of the fragment header.
  Packet& datagram(std::uint32_t id);
  // This part of the whole packet's content, as a fragment: `size` bytes, a multiple of 8 unless it is the
  // last, from `offset` units of 8 bytes on.
  [[nodiscard]] Packet piece(unsigned offset, std::size_t size) const;
  // IPv6: one more extension header of this kind, of this many bytes, before the fragment and the L4 header.
  Packet& extension(std::uint8_t kind, std::size_t size = 8);
  // IPv4: no router may fragment it, which is so unless it is a fragment.
  Packet& may_be_fragmented();
  // The outermost tag comes first.
  Packet& vlan(std::uint16_t id, std::uint16_t type = 0x8100);
  Packet& destination_mac(std::uint64_t mac);

  Packet& claiming_version(std::uint8_t version);
  Packet& claiming_header_words(std::uint8_t words);
  // What the IP header says: IPv4 total length, IPv6 payload length.
  Packet& claiming_length(std::uint16_t length);
  // The frame, with zeros behind the packet, as drivers pad short ones.
  Packet& padded_to(std::size_t frame_size);

  [[nodiscard]] Bytes frame() const;
  [[nodiscard]] Bytes ip() const;  // without Ethernet header, tags and padding
  // What it is, for readers: "TCP 203.0.113.7:40000 > 198.51.100.10:80, VLAN 7, options".
  [[nodiscard]] std::string shape() const;
  [[nodiscard]] std::size_t tag_bytes() const { return tags_.size() * 4; }
  [[nodiscard]] const Endpoint& from() const { return from_; }
  [[nodiscard]] const Endpoint& to() const { return to_; }
  [[nodiscard]] std::uint8_t protocol() const { return protocol_; }
  [[nodiscard]] std::uint8_t traffic_class() const { return traffic_class_; }

 private:
  struct Fragment {
    unsigned offset;
    bool more;
  };
  struct Extension {
    std::uint8_t kind;
    std::size_t size;
  };
  struct Tag {
    std::uint16_t type;
    std::uint16_t id;
  };

  [[nodiscard]] Bytes l4() const;
  [[nodiscard]] Bytes l4_header() const;
  [[nodiscard]] unsigned checksum_of(const Bytes& covered) const;
  [[nodiscard]] Bytes pseudo_header(std::size_t length) const;
  [[nodiscard]] Bytes ipv4(const Bytes& l4) const;
  [[nodiscard]] Bytes ipv6(const Bytes& l4) const;

  std::uint8_t protocol_;
  Endpoint from_;
  Endpoint to_;
  Bytes payload_;
  std::optional<Bytes> carried_;
  std::uint8_t traffic_class_ = 0;
  std::uint8_t ttl_ = 57;
  std::uint8_t flags_ = kPush | kAck;
  std::uint32_t sequence_ = 0x01020304;
  std::uint32_t acknowledgment_ = 0x0a0b0c0d;
  std::uint16_t window_ = 0xfaf0;
  std::uint8_t data_offset_ = 5;
  bool has_checksum_ = true;
  std::uint16_t label_ = 0xbeef;
  std::uint8_t icmp_type_ = 0;
  std::uint8_t icmp_code_ = 0;
  Bytes options_;
  bool dont_fragment_ = true;
  std::uint32_t datagram_ = 9;
  std::optional<Fragment> fragment_;
  std::vector<Extension> extensions_;
  std::vector<Tag> tags_;
  std::uint64_t destination_mac_ = 0x02000000aa01;
  std::uint8_t version_;
  std::optional<std::uint8_t> claimed_words_;
  std::optional<std::uint16_t> claimed_length_;
  std::size_t frame_size_ = 0;
};

Packet tcp4(const Endpoint& from, const Endpoint& to);
Packet udp4(const Endpoint& from, const Endpoint& to);
Packet ping4(const Endpoint& from, const Endpoint& to);
Packet tcp6(const Endpoint& from, const Endpoint& to);
Packet udp6(const Endpoint& from, const Endpoint& to);
// An ICMP or ICMPv6 error from `router` to the sender of `about`, which it quotes as far as `size` bytes.
// rest: the last 4 bytes of its header.
Packet error_about(const Packet& about, const std::string& router, std::uint8_t type, std::uint8_t code,
                   std::size_t size = 1000, std::uint32_t rest = 0);
Packet ping6(const Endpoint& from, const Endpoint& to);

// inner, in a tunnel from node to backend; both families from the addresses.
Packet tunnel(const std::string& node, const std::string& backend, const Bytes& inner, bool inner_is_ipv6);
Packet tunnel(const std::string& node, const std::string& backend, const Packet& inner);

// What a GUE tunnel packet says before the inner packet; as a node sends it unless told.
struct Gue {
  std::uint8_t version = 0;
  bool control = false;
  std::uint16_t flags = 0;
  Bytes private_data{};                    // whole words
  std::optional<std::uint8_t> words{};     // that the header says follow it
  std::optional<std::uint8_t> protocol{};  // of what it carries
  std::uint16_t port = 6080;
  std::optional<std::uint16_t> udp_length{};
  std::uint16_t checksum = 0;  // of UDP
};

// inner, in GUE from node to backend.
Packet gue_tunnel(const std::string& node, const std::string& backend, const Packet& inner,
                  const Gue& header = {});

}  // namespace phalanx::test

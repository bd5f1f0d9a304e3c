// SPDX-License-Identifier: Apache-2.0
#include "frames.hpp"

#include <algorithm>

#include "world.hpp"

namespace phalanx::fuzz {
namespace {

constexpr int kMaxDepth = 3;  // packets in packets

void put16(Bytes& out, std::uint32_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

void put32(Bytes& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}

void append(Bytes& out, const Bytes& more) {
  out.insert(out.end(), more.begin(), more.end());
}

Bytes random_bytes(Dice& dice, std::size_t size) {
  Bytes bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(dice.word());
  return bytes;
}

template <typename T>
const T& one_of(const std::vector<T>& all, Dice& dice) {
  return all[dice.below(static_cast<std::uint32_t>(all.size()))];
}

// Which end of a packet is a VIP's, most often.
enum class Way { to_vip, from_vip };

Way opposite(Way way) {
  return way == Way::to_vip ? Way::from_vip : Way::to_vip;
}

std::uint16_t any_port(Dice& dice) {
  return dice.once_in(4) ? static_cast<std::uint16_t>(dice.word()) : one_of(known_ports(), dice);
}

void put_ports(Bytes& out, Dice& dice, Way way) {
  const std::uint16_t service = dice.once_in(4) ? any_port(dice) : one_of(service_ports(), dice);
  const std::uint16_t client = any_port(dice);
  put16(out, way == Way::to_vip ? client : service);
  put16(out, way == Way::to_vip ? service : client);
}

Address any_host(Dice& dice, bool is_ipv6) {
  while (true) {
    const Host& found = one_of(known_hosts(), dice);
    if (found.is_ipv6 == is_ipv6) return found.address;
  }
}

void put_addresses(Bytes& out, Dice& dice, Way way, bool is_ipv6) {
  Address ends[2] = {any_host(dice, is_ipv6), any_host(dice, is_ipv6)};
  if (!dice.once_in(4)) ends[way == Way::to_vip ? 1 : 0] = served_vip(is_ipv6);
  for (const Address& end : ends) out.insert(out.end(), end.begin(), end.begin() + (is_ipv6 ? 16 : 4));
}

std::uint16_t checksum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(bytes[i]) << 8 | bytes[i + 1];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::size_t payload_size(Dice& dice) {
  return dice.once_in(8) ? dice.below(1400) : dice.below(60);
}

Bytes packet(Dice& dice, int depth, bool is_ipv6, Way way);

Bytes tcp(Dice& dice, Way way) {
  static const std::vector<std::uint8_t> flags{0x02, 0x10, 0x18, 0x11, 0x04, 0x14, 0x12, 0x00};
  Bytes out;
  put_ports(out, dice, way);
  put32(out, static_cast<std::uint32_t>(dice.word()));
  put32(out, static_cast<std::uint32_t>(dice.word()));
  out.push_back(static_cast<std::uint8_t>(dice.once_in(8) ? dice.word() : 0x50));
  out.push_back(dice.once_in(8) ? static_cast<std::uint8_t>(dice.word()) : one_of(flags, dice));
  append(out, random_bytes(dice, 6));
  append(out, random_bytes(dice, payload_size(dice)));
  return out;
}

// Private data of GUE by hops.h, most often; whole words.
Bytes hops(Dice& dice) {
  const bool version_1 = dice.once_in(2);
  const std::uint32_t count = dice.below(dice.once_in(8) ? 8 : 3);
  Bytes out{static_cast<std::uint8_t>(version_1 ? 0x10 : 0), 0,
            static_cast<std::uint8_t>(dice.below(count + 1)), static_cast<std::uint8_t>(count)};
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool is_ipv6 = version_1 && dice.once_in(2);
    const Address host = any_host(dice, is_ipv6);
    if (version_1 && !is_ipv6) append(out, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff});
    out.insert(out.end(), host.begin(), host.begin() + (is_ipv6 ? 16 : 4));
  }
  if (dice.once_in(8)) out[dice.below(4)] = static_cast<std::uint8_t>(dice.word());
  if (dice.once_in(8)) out.resize(out.size() + (dice.once_in(2) ? 4 : std::size_t{0} - 4));
  return out.size() > 124 ? Bytes{} : out;
}

// With a GUE header and a packet behind it, now and then.
Bytes udp(Dice& dice, int depth, Way way) {
  Bytes payload;
  const bool is_gue = depth < kMaxDepth && dice.once_in(4);
  if (is_gue) {
    const bool is_ipv6 = dice.once_in(2);
    const Bytes private_data = dice.once_in(2)
                                   ? hops(dice)
                                   : random_bytes(dice, dice.once_in(4) ? std::size_t{dice.below(8)} * 4 : 0);
    const auto private_words = static_cast<std::uint8_t>(private_data.size() / 4);
    payload = {static_cast<std::uint8_t>(dice.once_in(8) ? dice.word() : private_words),
               static_cast<std::uint8_t>(is_ipv6 ? 41 : 4), 0, 0};
    append(payload, private_data);
    append(payload, packet(dice, depth + 1, is_ipv6, Way::to_vip));
  } else {
    payload = random_bytes(dice, payload_size(dice));
  }
  Bytes out;
  if (is_gue) {
    put16(out, any_port(dice));
    put16(out, 6080);
  } else {
    put_ports(out, dice, way);
  }
  put16(out, static_cast<std::uint32_t>(payload.size()) + 8);
  put16(out, dice.once_in(2) ? 0 : static_cast<std::uint32_t>(dice.word()));
  append(out, payload);
  return out;
}

// What it quotes went the other way.
Bytes icmp(Dice& dice, int depth, bool is_ipv6, Way way) {
  static const std::vector<std::uint8_t> types4{8, 0, 3, 11, 12, 5};
  static const std::vector<std::uint8_t> types6{128, 129, 1, 2, 3, 4, 135};
  Bytes out{one_of(is_ipv6 ? types6 : types4, dice),
            static_cast<std::uint8_t>(dice.once_in(4) ? dice.below(16) : 0)};
  append(out, random_bytes(dice, 6));
  if (depth < kMaxDepth && dice.below(4) != 0) {
    append(out, packet(dice, depth + 1, is_ipv6, opposite(way)));
    if (dice.once_in(3))
      out.resize(std::max<std::size_t>(8, dice.below(static_cast<std::uint32_t>(out.size() + 1))));
  } else {
    append(out, random_bytes(dice, payload_size(dice)));
  }
  return out;
}

struct Transport {
  std::uint8_t protocol;
  Bytes bytes;
};

Transport transport(Dice& dice, int depth, bool is_ipv6, Way way) {
  switch (dice.below(8)) {
    case 0:
    case 1:
    case 2:
      return {6, tcp(dice, way)};
    case 3:
    case 4:
      return {17, udp(dice, depth, way)};
    case 5:
      return {static_cast<std::uint8_t>(is_ipv6 ? 58 : 1), icmp(dice, depth, is_ipv6, way)};
    case 6:
      if (depth < kMaxDepth) {
        const bool inner_is_ipv6 = dice.once_in(2);
        return {static_cast<std::uint8_t>(inner_is_ipv6 ? 41 : 4),
                packet(dice, depth + 1, inner_is_ipv6, Way::to_vip)};
      }
      [[fallthrough]];
    default:
      return {static_cast<std::uint8_t>(dice.word()), random_bytes(dice, payload_size(dice))};
  }
}

std::uint16_t fragment_field(Dice& dice) {
  if (!dice.once_in(5)) return dice.once_in(2) ? 0x4000 : 0;
  static const std::vector<std::uint16_t> fields{0x2000, 0x0001, 0x2001, 0x00b9, 0x20b9};
  return dice.once_in(6) ? static_cast<std::uint16_t>(dice.word()) : one_of(fields, dice);
}

std::uint8_t ttl(Dice& dice) {
  return dice.once_in(10) ? static_cast<std::uint8_t>(dice.below(3)) : 64;
}

Bytes ipv4(Dice& dice, int depth, Way way) {
  Transport body = transport(dice, depth, false, way);
  Bytes options = random_bytes(dice, dice.once_in(8) ? dice.below(11) * 4 : 0);
  if (dice.once_in(2)) std::fill(options.begin(), options.end(), std::uint8_t{1});
  const std::size_t header = 20 + options.size();
  Bytes out{static_cast<std::uint8_t>(0x40 | header / 4),
            static_cast<std::uint8_t>(dice.once_in(3) ? dice.word() : 0)};
  put16(out, dice.once_in(20) ? static_cast<std::uint32_t>(dice.word())
                              : static_cast<std::uint32_t>(header + body.bytes.size()));
  put16(out, dice.below(4));  // few ids: fragments shall meet their datagram
  put16(out, fragment_field(dice));
  out.push_back(ttl(dice));
  out.push_back(body.protocol);
  put16(out, 0);
  put_addresses(out, dice, way, false);
  append(out, options);
  const std::uint16_t sum = dice.once_in(20) ? static_cast<std::uint16_t>(dice.word()) : checksum(out);
  out[10] = static_cast<std::uint8_t>(sum >> 8);
  out[11] = static_cast<std::uint8_t>(sum);
  append(out, body.bytes);
  return out;
}

// In front of a body; returns what the header before it has to name.
std::uint8_t extend(Bytes& body, std::uint8_t protocol, Dice& dice) {
  static const std::vector<std::uint8_t> kinds{0, 43, 60, 51, 135, 139, 140, 44};
  const std::uint8_t kind = one_of(kinds, dice);
  Bytes header{protocol};
  if (kind == 44) {
    header.push_back(0);
    static const std::vector<std::uint16_t> fields{0, 1, 8, 9, 0x5c8};
    put16(header, dice.once_in(6) ? static_cast<std::uint32_t>(dice.word()) : one_of(fields, dice));
    put32(header, dice.below(4));
  } else {
    const std::uint32_t units = dice.below(3);
    header.push_back(static_cast<std::uint8_t>(dice.once_in(16) ? dice.word()
                                               : kind == 51     ? units * 2
                                                                : units));
    append(header, random_bytes(dice, 6 + std::size_t{units} * 8));
  }
  header.insert(header.end(), body.begin(), body.end());
  body = header;
  return kind;
}

Bytes ipv6(Dice& dice, int depth, Way way) {
  Transport body = transport(dice, depth, true, way);
  std::uint8_t next = body.protocol;
  if (dice.once_in(4)) {
    const std::uint32_t headers = 1 + dice.below(dice.once_in(6) ? 12 : 3);
    for (std::uint32_t i = 0; i < headers; ++i) next = extend(body.bytes, next, dice);
  }
  Bytes out;
  put32(out, 6u << 28 | (dice.once_in(3) ? static_cast<std::uint32_t>(dice.word()) & 0x0fffffff : 0));
  put16(out, dice.once_in(20) ? static_cast<std::uint32_t>(dice.word())
                              : static_cast<std::uint32_t>(body.bytes.size()));
  out.push_back(next);
  out.push_back(ttl(dice));
  put_addresses(out, dice, way, true);
  append(out, body.bytes);
  return out;
}

Bytes packet(Dice& dice, int depth, bool is_ipv6, Way way) {
  return is_ipv6 ? ipv6(dice, depth, way) : ipv4(dice, depth, way);
}

}  // namespace

std::uint64_t Dice::word() {
  state_ += 0x9e3779b97f4a7c15;
  std::uint64_t z = state_;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

void damage(Bytes& frame, Dice& dice) {
  const auto size = static_cast<std::uint32_t>(frame.size());
  switch (dice.below(3)) {
    case 0:
      for (std::uint32_t i = dice.below(4); i < 4; ++i)
        frame[dice.below(size)] = static_cast<std::uint8_t>(dice.word());
      break;
    case 1:
      frame.resize(14 + dice.below(size - 13));
      break;
    default: {
      const Address address = one_of(known_hosts(), dice).address;
      const std::uint32_t at = dice.below(size);
      std::copy_n(address.begin(), std::min<std::size_t>(dice.once_in(2) ? 4 : 16, size - at),
                  frame.begin() + at);
    }
  }
}

Bytes make_frame(Dice& dice) {
  const bool is_ipv6 = dice.once_in(2);
  Bytes frame{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
  if (dice.once_in(16)) frame[0] = 0xff;  // a group
  const std::uint32_t tags = dice.once_in(6) ? 1 + dice.below(3) : 0;
  for (std::uint32_t i = 0; i < tags; ++i) {
    put16(frame, dice.once_in(2) ? 0x8100 : 0x88a8);
    put16(frame, static_cast<std::uint32_t>(dice.word()));
  }
  put16(frame, dice.once_in(30) ? static_cast<std::uint32_t>(dice.word()) : is_ipv6 ? 0x86dd : 0x0800);
  append(frame, packet(dice, 0, is_ipv6, Way::to_vip));
  if (dice.once_in(10)) append(frame, random_bytes(dice, dice.below(20)));  // padding
  if (dice.once_in(10)) damage(frame, dice);
  if (frame.size() > kMaxMadeFrame) frame.resize(kMaxMadeFrame);
  return frame;
}

}  // namespace phalanx::fuzz

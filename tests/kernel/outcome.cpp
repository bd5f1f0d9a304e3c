// SPDX-License-Identifier: Apache-2.0
#include "outcome.hpp"

#include <gtest/gtest.h>
#include <linux/bpf.h>

#include "case_table.hpp"

namespace phalanx::test {
namespace {

constexpr std::size_t kEthernet = 14;
constexpr std::size_t kGueHeaders = 12;
constexpr std::uint8_t kUdp = 17;

std::size_t ethernet_size(const Backend& backend) {
  return kEthernet + (backend.vlan != 0 ? 4 : 0);
}

std::size_t headers_behind_ip(const Backend& backend) {
  return backend.forward == PHX_FORWARD_GUE ? kGueHeaders : 0;
}

// As hops.h has it, from its words.
Bytes private_data(const std::vector<Backend>& hops) {
  if (hops.empty()) return {};
  const bool any_ipv6 =
      std::any_of(hops.begin(), hops.end(), [](const Backend& hop) { return is_ipv6(hop.address); });
  Bytes bytes{static_cast<std::uint8_t>(any_ipv6 ? 0x10 : 0), 0, 0, static_cast<std::uint8_t>(hops.size())};
  for (const Backend& hop : hops) {
    if (any_ipv6 && !is_ipv6(hop.address)) append(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff});
    append(bytes, address_bytes(hop.address));
  }
  return bytes;
}

std::uint8_t protocol_of(const Bytes& ip) {
  return ip.at(0) >> 4 == 4 ? 4 : 41;
}

// What the outer IP header names.
std::uint8_t outer_protocol(const Backend& backend, const Bytes& ip) {
  return backend.forward == PHX_FORWARD_GUE ? kUdp : protocol_of(ip);
}

}  // namespace

Bytes aged(Bytes ip) {
  if (ip.at(0) >> 4 == 6) {
    ip.at(7)--;
    return ip;
  }
  ip.at(8)--;
  ip.at(10) = ip.at(11) = 0;
  const unsigned checksum = internet_checksum(part(ip, 0, static_cast<std::size_t>(ip.at(0) & 15) * 4));
  ip.at(10) = static_cast<std::uint8_t>(checksum >> 8);
  ip.at(11) = static_cast<std::uint8_t>(checksum);
  return ip;
}

std::string hex(const Bytes& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Bytes part(const Bytes& bytes, std::size_t offset, std::size_t size) {
  if (offset > bytes.size()) return {};
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(offset);
  return {begin, begin + static_cast<std::ptrdiff_t>(std::min(size, bytes.size() - offset))};
}

const Outcome& Outcome::tx() const {
  EXPECT_EQ(result.verdict, XDP_TX) << "for " << hex(sent_in);
  return *this;
}

const Outcome& Outcome::redirected() const {
  EXPECT_EQ(result.verdict, XDP_REDIRECT) << "for " << hex(sent_in);
  return *this;
}

const Outcome& Outcome::dropped() const {
  EXPECT_EQ(result.verdict, XDP_DROP) << "for " << hex(sent_in);
  return *this;
}

const Outcome& Outcome::passed() const {
  EXPECT_EQ(result.verdict, XDP_PASS) << "for " << hex(sent_in);
  return *this;
}

const Outcome& Outcome::unchanged() const {
  EXPECT_EQ(hex(result.frame), hex(sent_in));
  return *this;
}

const Outcome& Outcome::ignored() const {
  return passed().unchanged().counted({}).no_traffic();
}

const Outcome& Outcome::answered_by(Packet answer) const {
  tx();
  const Bytes plain = answer.ttl(64).label(0).frame();
  Bytes expected = part(sent_in, 6, 6);
  append(expected, part(sent_in, 0, 6));
  append(expected, part(sent_in, 12, tag_bytes));
  append(expected, part(plain, 12, plain.size()));
  EXPECT_EQ(hex(result.frame), hex(expected)) << "for " << hex(sent_in);
  return *this;
}

const Outcome& Outcome::counted(std::initializer_list<std::string> labels) const {
  std::map<std::string, std::uint64_t> expected;
  for (const std::string& label : labels) expected[label]++;
  EXPECT_EQ(counters, expected) << "for " << hex(sent_in);
  CaseTable::instance().add(shape.empty() ? "frame of raw bytes" : shape, result.verdict, expected);
  return *this;
}

const Outcome& Outcome::traffic(std::uint32_t service, const Backend& backend, std::uint64_t bytes) const {
  const std::map<std::uint32_t, Traffic> of_service{{service, {1, bytes}}};
  const std::map<std::uint32_t, Traffic> of_backend{{backend.entry, {1, bytes}}};
  EXPECT_TRUE(service_traffic == of_service) << "for " << hex(sent_in);
  EXPECT_TRUE(backend_traffic == of_backend) << "for " << hex(sent_in);
  return *this;
}

const Outcome& Outcome::no_traffic() const {
  EXPECT_TRUE(service_traffic.empty() && backend_traffic.empty()) << "for " << hex(sent_in);
  return *this;
}

void Outcome::check_ethernet(const Backend& backend, unsigned type) const {
  Bytes expected = backend.next_hop_mac;
  append(expected, kNodeMac);
  if (backend.vlan != 0) append16(expected, 0x8100);
  if (backend.vlan != 0) append16(expected, backend.vlan);
  append16(expected, type);
  EXPECT_EQ(hex(part(result.frame, 0, expected.size())), hex(expected));
}

// The bits that are not the flow's are as configured.
void Outcome::check_outer_source(const Backend& backend, const Bytes& source) const {
  const Bytes configured = address_bytes(backend.tunnel_source);
  for (std::size_t bit = 0; bit + backend.source_bits < configured.size() * 8; bit++) {
    const unsigned difference = static_cast<unsigned>(configured[bit / 8] ^ source.at(bit / 8));
    ASSERT_EQ(difference >> (7 - bit % 8) & 1, 0u) << "outer source " << hex(source);
  }
}

// RFC 791, with what the balancer promises: no options, don't fragment, id 0, TTL 64.
void Outcome::check_outer_ipv4(const Backend& backend, std::size_t behind) const {
  const Bytes header = part(result.frame, ethernet_size(backend), 20);
  Bytes expected{0x45, traffic_class};
  append16(expected, static_cast<unsigned>(20 + behind + ip.size()));
  append(expected, {0, 0, 0x40, 0, 64, outer_protocol(backend, ip)});
  append(expected, part(header, 10, 6));
  append(expected, address_bytes(backend.address));
  EXPECT_EQ(hex(header), hex(expected));
  EXPECT_EQ(internet_checksum(header), 0) << "the outer header's checksum is wrong: " << hex(header);
  check_outer_source(backend, part(header, 12, 4));
}

// RFC 8200; the flow label is the balancer's to choose.
void Outcome::check_outer_ipv6(const Backend& backend, std::size_t behind) const {
  const Bytes header = part(result.frame, ethernet_size(backend), 40);
  Bytes expected{static_cast<std::uint8_t>(0x60 | traffic_class >> 4),
                 static_cast<std::uint8_t>((traffic_class & 15) << 4 | (header.at(1) & 15))};
  append(expected, part(header, 2, 2));
  append16(expected, static_cast<unsigned>(behind + ip.size()));
  append(expected, {outer_protocol(backend, ip), 64});
  append(expected, part(header, 8, 16));
  append(expected, address_bytes(backend.address));
  EXPECT_EQ(hex(header), hex(expected));
  check_outer_source(backend, part(header, 8, 16));
}

// UDP without checksum, and GUE variant 0 (draft-ietf-intarea-gue-09 section 3.1) without flags.
void Outcome::check_gue(const Backend& backend, const Bytes& headers, const Bytes& hops) const {
  EXPECT_GE(headers.at(0), 0xc0) << "the source port is no dynamic one";
  Bytes expected = part(headers, 0, 2);
  append16(expected, backend.tunnel_port);
  append16(expected, static_cast<unsigned>(kGueHeaders + hops.size() + ip.size()));
  append(expected, {0, 0, static_cast<std::uint8_t>(hops.size() / 4), protocol_of(ip), 0, 0});
  append(expected, hops);
  EXPECT_EQ(hex(headers), hex(expected));
}

const Outcome& Outcome::encapsulated_to(const Backend& backend, const std::vector<Backend>& hops) const {
  const bool outer_ipv6 = is_ipv6(backend.address);
  const std::size_t outer = outer_ipv6 ? 40 : 20;
  const Bytes named = private_data(hops);
  const std::size_t headers = headers_behind_ip(backend) + named.size();
  const std::size_t ethernet = ethernet_size(backend);
  if (result.frame.size() != untagged_size() - kEthernet + ethernet + outer + headers) {
    ADD_FAILURE() << "not encapsulated: " << hex(result.frame) << " for " << hex(sent_in);
    return *this;
  }
  check_ethernet(backend, outer_ipv6 ? 0x86dd : 0x0800);
  if (outer_ipv6) {
    check_outer_ipv6(backend, headers);
  } else {
    check_outer_ipv4(backend, headers);
  }
  if (headers != 0) check_gue(backend, part(result.frame, ethernet + outer, headers), named);
  EXPECT_EQ(hex(part(result.frame, ethernet + outer + headers, ip.size())), hex(aged(ip)))
      << "the inner packet is not what came in, one hop older";
  return *this;
}

const Outcome& Outcome::translated_to(const Backend& backend, const Packet& expected) const {
  const std::size_t ethernet = ethernet_size(backend);
  check_ethernet(backend, is_ipv6(backend.address) ? 0x86dd : 0x0800);
  EXPECT_EQ(hex(part(result.frame, ethernet, ip.size())), hex(aged(expected.ip()))) << "for " << hex(sent_in);
  EXPECT_EQ(result.frame.size(), untagged_size() - kEthernet + ethernet);
  return *this;
}

const Outcome& Outcome::sent_at_layer_2_to(const Backend& backend) const {
  check_ethernet(backend, ip.at(0) >> 4 == 6 ? 0x86dd : 0x0800);
  EXPECT_EQ(result.frame.size(), untagged_size() - kEthernet + ethernet_size(backend));
  EXPECT_EQ(hex(part(result.frame, ethernet_size(backend), ip.size())), hex(aged(ip)));
  return *this;
}

}  // namespace phalanx::test

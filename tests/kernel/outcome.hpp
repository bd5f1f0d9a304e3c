// SPDX-License-Identifier: Apache-2.0
// What a program did to a frame, and sentences that judge it. Headers are compared byte by byte with what the
// RFCs say, in code of its own.
#pragma once

#include <map>
#include <string>

#include "packet.hpp"
#include "phalanx.h"
#include "program_run.hpp"

namespace phalanx::test {

// A backend as the tests know it.
struct Backend {
  std::uint16_t entry = 0;
  std::string address;
  std::string tunnel_source;
  phx_forward forward = PHX_FORWARD_IPIP;
  bool same_interface = true;  // its next hop lies behind the interface the packets come in by
  Bytes next_hop_mac{};
  std::uint16_t vlan = 0;         // of the next hop; 0: untagged
  std::uint16_t mtu = 0;          // of the way to the next hop; 0: not known
  std::uint16_t port = 0;         // of nat
  std::uint16_t tunnel_port = 0;  // of gue
  std::uint8_t source_bits = 0;   // low bits of tunnel_source that are the flow's
};

// The MAC address of the node on every interface of the tests.
inline const Bytes kNodeMac{0x02, 0x00, 0x00, 0x00, 0xaa, 0x01};

struct Traffic {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Traffic&) const = default;
};

struct Outcome {
  Bytes sent_in;              // the frame
  std::string shape;          // what it is, for readers
  std::size_t tag_bytes = 0;  // of its VLAN tags
  Bytes ip;                   // its IP packet, without padding; empty if it was no Packet
  std::uint8_t traffic_class = 0;
  RunResult result;
  std::map<std::string, std::uint64_t> counters;     // what changed, by label
  std::map<std::uint32_t, Traffic> service_traffic;  // what changed, by service index
  std::map<std::uint32_t, Traffic> backend_traffic;  // what changed, by entry

  const Outcome& tx() const;
  const Outcome& redirected() const;
  const Outcome& dropped() const;
  const Outcome& passed() const;
  // The frame is what it was, byte by byte.
  const Outcome& unchanged() const;
  // In a tunnel of the backend's form to it, the IP packet whole inside, but for its TTL, which is one less.
  // hops: whom a gue packet names for a second chance, in this order.
  const Outcome& encapsulated_to(const Backend& backend, const std::vector<Backend>& hops = {}) const;
  // By nat: expected, whose addresses and ports are as the backend should see them, but for its TTL.
  const Outcome& translated_to(const Backend& backend, const Packet& expected) const;
  // The same packet, but for its TTL, behind other MAC addresses and the backend's tag.
  const Outcome& sent_at_layer_2_to(const Backend& backend) const;
  // Sent back to the station it came from, in the very tags it came in: this packet, with the TTL and without
  // the label that the path gives its answers.
  const Outcome& answered_by(Packet answer) const;
  // These counters by one each, no other.
  const Outcome& counted(std::initializer_list<std::string> labels) const;
  // One packet of this many bytes for the service and the entry, nothing for others.
  const Outcome& traffic(std::uint32_t service, const Backend& backend, std::uint64_t bytes) const;
  const Outcome& no_traffic() const;
  // Handed on as if no program were there: unchanged, and no counter moved.
  const Outcome& ignored() const;

 private:
  // behind: what stands between the outer IP header and the inner.
  void check_outer_ipv4(const Backend& backend, std::size_t behind) const;
  void check_outer_ipv6(const Backend& backend, std::size_t behind) const;
  void check_ethernet(const Backend& backend, unsigned type) const;
  void check_outer_source(const Backend& backend, const Bytes& source) const;
  void check_gue(const Backend& backend, const Bytes& headers, const Bytes& hops) const;
  // Bytes of the frame that came in, without tags.
  [[nodiscard]] std::size_t untagged_size() const { return sent_in.size() - tag_bytes; }
};

// `expect(outcome).tx()...` reads better than the bare object.
inline const Outcome& expect(const Outcome& outcome) {
  return outcome;
}

// The IP packet as a router sends it on: one hop older, an IPv4 checksum computed from the definition.
Bytes aged(Bytes ip);

std::string hex(const Bytes& bytes);
Bytes part(const Bytes& bytes, std::size_t offset, std::size_t size);

}  // namespace phalanx::test

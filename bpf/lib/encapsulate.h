/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The headers that take a client's packet to a backend. The caller has made room and checked the bounds. */
#ifndef PHALANX_LIB_ENCAPSULATE_H
#define PHALANX_LIB_ENCAPSULATE_H

#include "lib/checksum.h"
#include "lib/parse.h"
#include "lib/second_chance.h"

#define PHX_OUTER_TTL 64u

/* The dynamic ports (RFC 6335), of which RFC 7348 and its kin take the source port of a tunnel. */
#define PHX_GUE_FIRST_PORT 0xc000u
#define PHX_GUE_PORT_MASK  0x3fffu

/* The most that phx_outer_size() and hops are. */
#define PHX_OUTER_MOST (sizeof(struct phx_ipv6) + sizeof(struct phx_gue_headers) + PHX_HOPS_MOST)

/* Bytes that forwarding to the backend puts before the IP packet, without hops. */
PHX_INLINE __u32 phx_outer_size(const struct phx_backend *backend)
{
	__u32 ip = backend->family == PHX_FAMILY_IPV4 ? sizeof(struct phx_ipv4) : sizeof(struct phx_ipv6);

	if (backend->forward == PHX_FORWARD_IPIP)
		return ip;
	if (backend->forward == PHX_FORWARD_GUE)
		return ip + sizeof(struct phx_gue_headers);
	return 0;
}

/* The inner packet's protocol number, as the header before it names it. */
PHX_INLINE __u8 phx_inner_protocol(const struct phx_packet *inner)
{
	return inner->flow.to.family == PHX_FAMILY_IPV4 ? PHX_PROTOCOL_IPV4 : PHX_PROTOCOL_IPV6;
}

/* Both MAC addresses, which lie in phx_next_hop as they do in the header; the type stays. */
PHX_INLINE void phx_write_macs(struct phx_ethernet *ethernet, const struct phx_next_hop *hop)
{
	phx_store64(ethernet->destination, phx_load64(hop->destination_mac));
	phx_store32(ethernet->source + 2, phx_load32(hop->source_mac + 2));
}
PHX_ASSERT(PHX_OFFSET(struct phx_next_hop, source_mac) == PHX_OFFSET(struct phx_ethernet, source),
	   "the MAC addresses are copied at once");

/*
 * The outer source where it is a prefix: its low `bits` come from the flow, so that the backend's card, which
 * may look no further than the addresses, spreads the flows of one tunnel over its queues. hash: the flow's;
 * its high half is independent of the slot, so that the flows of one backend get all of the addresses.
 */
PHX_INLINE __u64 phx_spread(__u64 address, __u32 bits, __u64 hash)
{
	__u64 mask = bits >= 64 ? ~0ull : (1ull << bits) - 1;

	return (address & ~mask) | (phx_mix(hash >> 32, PHX_HASH_FIRST) & mask);
}

PHX_INLINE __u32 phx_spread_ipv4(const struct phx_next_hop *hop, __u32 bits, __u64 hash)
{
	__u32 address = PHX_SWAP32(phx_load32(hop->tunnel_source));

	return PHX_SWAP32(phx_spread(address, bits, hash));
}

/* Returns the second half of the address; the first is never spread. */
PHX_INLINE __u64 phx_spread_ipv6(const struct phx_next_hop *hop, __u32 bits, __u64 hash)
{
	__u64 address = PHX_SWAP64(phx_load64(hop->tunnel_source + 8));

	return PHX_SWAP64(phx_spread(address, bits, hash));
}

/*
 * The outer IPv4 header (RFC 2003, RFC 4213): don't-fragment set, id 0 (RFC 6864 allows it for such packets),
 * the traffic class copied, so that ECN reaches the backend (RFC 6040, normal mode). payload: bytes behind
 * the header. They are counted from the inner header's own length: what an Ethernet driver padded a short
 * frame with is no payload.
 */
PHX_INLINE void phx_write_outer_ipv4(struct phx_ipv4 *outer, __u8 traffic_class, __u32 payload, __u8 protocol,
				     __u32 source, __u32 destination)
{
	__u32 words[5] = {
		PHX_SWAP32(PHX_IPV4_PLAIN << 24 | (__u32)traffic_class << 16 |
			   (payload + (__u32)sizeof(*outer))),
		PHX_SWAP32(PHX_IPV4_DONT_FRAGMENT),
		PHX_SWAP32(PHX_OUTER_TTL << 24 | (__u32)protocol << 16),
		source,
		destination,
	};
	__u64 sum = (__u64)words[0] + words[1] + words[2] + words[3] + words[4];

	phx_store32(&outer->version_ihl, words[0]);
	phx_store32(&outer->id, words[1]);
	phx_store32(&outer->ttl, words[2] | (__u32)phx_checksum_finish(sum) << 16);
	outer->source = words[3];
	outer->destination = words[4];
}

/*
 * The outer IPv6 header (RFC 2473) but for its addresses. hash: the flow's, whose high half becomes the flow
 * label, by which routers and the backend's card spread flows of one tunnel (RFC 6438).
 */
PHX_INLINE void phx_write_outer_ipv6(struct phx_ipv6 *outer, __u8 traffic_class, __u32 payload, __u8 protocol,
				     __u64 hash)
{
	__u32 label = (__u32)(hash >> 44);

	outer->version_class_label = PHX_SWAP32(6u << 28 | (__u32)traffic_class << 20 | label);
	outer->payload_length = PHX_SWAP16(payload);
	outer->next_header = protocol;
	outer->hop_limit = PHX_OUTER_TTL;
}

PHX_INLINE void phx_write_outer_addresses(struct phx_ipv6 *outer, __u64 source_first, __u64 source_second,
					  const struct phx_backend *backend)
{
	outer->source[0] = source_first;
	outer->source[1] = source_second;
	outer->destination[0] = phx_load64(backend->address);
	outer->destination[1] = phx_load64(backend->address + 8);
}

/*
 * UDP and GUE between the two IP headers. The source port comes from the flow's hash, for the sake of ECMP
 * and of the backend's card. The UDP checksum is 0, over IPv6 too: RFC 6935 and RFC 6936 allow it for tunnels
 * whose inner packets have checksums of their own. Those of TCP and UDP cover the inner addresses, a damaged
 * outer address leads to a host that refuses the tunnel or does not have it, and no state is kept by outer
 * headers, so that a damaged packet can harm nothing but itself; a sum over the whole packet would cost more
 * than all the rest of the path. GUE: version 0, data, no flags. hops: bytes that stand between it and the
 * inner packet.
 */
PHX_INLINE void phx_write_gue(struct phx_gue_headers *headers, const struct phx_packet *inner, __u16 port,
			      __u64 hash, __u32 hops)
{
	headers->udp.source_port = PHX_SWAP16(PHX_GUE_FIRST_PORT | (hash >> 32 & PHX_GUE_PORT_MASK));
	headers->udp.destination_port = port;
	headers->udp.length = PHX_SWAP16(inner->length + sizeof(*headers) + hops);
	headers->udp.checksum = 0;
	headers->gue.version_control_length = (__u8)(hops / 4);
	headers->gue.protocol = phx_inner_protocol(inner);
	headers->gue.flags = 0;
}

#endif /* PHALANX_LIB_ENCAPSULATE_H */

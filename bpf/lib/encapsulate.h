/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The headers that take a client's packet to a backend. The caller has made room and checked the bounds. */
#ifndef PHALANX_LIB_ENCAPSULATE_H
#define PHALANX_LIB_ENCAPSULATE_H

#include "lib/checksum.h"
#include "lib/parse.h"

#define PHX_OUTER_TTL 64u

/* Bytes that forwarding to the backend puts before the IP packet. */
PHX_INLINE __u32 phx_outer_size(const struct phx_backend *backend)
{
	__u32 ip = backend->family == PHX_FAMILY_IPV4 ? sizeof(struct phx_ipv4) : sizeof(struct phx_ipv6);

	if (backend->forward == PHX_FORWARD_IPIP)
		return ip;
	if (backend->forward == PHX_FORWARD_GUE)
		return ip + sizeof(struct phx_gue_headers);
	return 0;
}

/* The inner packet's protocol number, as the outer header names it. */
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
 * The outer IPv4 header (RFC 2003, RFC 4213): don't-fragment set, id 0 (RFC 6864 allows it for such packets),
 * the traffic class copied, so that ECN reaches the backend (RFC 6040, normal mode). The length is the inner
 * header's: what an Ethernet driver padded a short frame with is no payload.
 */
PHX_INLINE void phx_write_outer_ipv4(struct phx_ipv4 *outer, const struct phx_packet *inner,
				     const struct phx_backend *backend, const struct phx_next_hop *hop)
{
	__u32 length = inner->length + (__u32)sizeof(*outer);
	__u32 words[5] = {
		PHX_SWAP32(PHX_IPV4_PLAIN << 24 | (__u32)inner->traffic_class << 16 | length),
		PHX_SWAP32(PHX_IPV4_DONT_FRAGMENT),
		PHX_SWAP32(PHX_OUTER_TTL << 24 | (__u32)phx_inner_protocol(inner) << 16),
		phx_load32(hop->tunnel_source),
		phx_load32(backend->address),
	};
	__u64 sum = (__u64)words[0] + words[1] + words[2] + words[3] + words[4];

	phx_store32(&outer->version_ihl, words[0]);
	phx_store32(&outer->id, words[1]);
	phx_store32(&outer->ttl, words[2] | (__u32)phx_checksum_finish(sum) << 16);
	outer->source = words[3];
	outer->destination = words[4];
}

/*
 * The outer IPv6 header (RFC 2473). hash: the flow's, whose high half becomes the flow label, by which
 * routers and the backend's card spread flows of one tunnel (RFC 6438).
 */
PHX_INLINE void phx_write_outer_ipv6(struct phx_ipv6 *outer, const struct phx_packet *inner,
				     const struct phx_backend *backend, const struct phx_next_hop *hop,
				     __u64 hash)
{
	__u32 label = (__u32)(hash >> 44);

	outer->version_class_label = PHX_SWAP32(6u << 28 | (__u32)inner->traffic_class << 20 | label);
	outer->payload_length = PHX_SWAP16(inner->length);
	outer->next_header = phx_inner_protocol(inner);
	outer->hop_limit = PHX_OUTER_TTL;
	outer->source[0] = phx_load64(hop->tunnel_source);
	outer->source[1] = phx_load64(hop->tunnel_source + 8);
	outer->destination[0] = phx_load64(backend->address);
	outer->destination[1] = phx_load64(backend->address + 8);
}

#endif /* PHALANX_LIB_ENCAPSULATE_H */

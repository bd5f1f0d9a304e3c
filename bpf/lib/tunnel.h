/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a frame is to the agent: IP in IP, in any of the four forms, or nothing of its business. */
#ifndef PHALANX_LIB_TUNNEL_H
#define PHALANX_LIB_TUNNEL_H

#include "lib/checksum.h"
#include "lib/wire.h"

enum phx_tunnel_kind {
	PHX_TUNNEL_NONE,     /* no tunnel packet */
	PHX_TUNNEL_FRAGMENT, /* outer fragment */
	PHX_TUNNEL_OPTIONS,  /* outer IPv4 options */
	PHX_TUNNEL_CUT,      /* the inner destination cannot be read */
	PHX_TUNNEL_LYING,    /* lengths of outer, inner and frame contradict each other */
	PHX_TUNNEL_SOUND,
};

struct phx_tunnel {
	struct phx_agent_node source;     /* the outer source, as a key of `agent_nodes` */
	struct phx_agent_vip destination; /* the inner destination, as a key of `agent_vips` */
	__u32 congested;                  /* the outer header says that congestion was experienced */
} __attribute__((aligned(8)));            /* verifier: the stack is accessed aligned */
PHX_ASSERT(PHX_OFFSET(struct phx_tunnel, source.address) == 8, "whole words");
PHX_ASSERT(PHX_OFFSET(struct phx_tunnel, destination) == 24, "whole words");
PHX_ASSERT(PHX_OFFSET(struct phx_tunnel, destination.family) == 40, "whole words");

#define PHX_ECN_MASK        3u
#define PHX_ECN_NOT_CAPABLE 0u
#define PHX_ECN_CONGESTED   3u

/* The address as two words in network byte order; an IPv4 address is the first, the second 0. */
PHX_INLINE void phx_tunnel_source(struct phx_tunnel *tunnel, __u64 first, __u64 second, __u8 family)
{
	__u32 bits = 32 + (family == PHX_FAMILY_IPV4 ? 32 : 128);

	phx_store64(&tunnel->source, (__u64)family << 32 | bits);
	phx_store64(tunnel->source.address, first);
	phx_store64(tunnel->source.address + 8, second);
}

PHX_INLINE void phx_tunnel_destination(struct phx_tunnel *tunnel, __u64 first, __u64 second, __u8 family)
{
	phx_store64(tunnel->destination.address, first);
	phx_store64(tunnel->destination.address + 8, second);
	phx_store32(&tunnel->destination.family, family);
}

/* at: the inner packet; payload: bytes that the outer header says it has. */
PHX_INLINE enum phx_tunnel_kind phx_inner_ipv4(const __u8 *at, const __u8 *end, __u32 payload,
					       struct phx_tunnel *tunnel)
{
	const struct phx_ipv4 *ip = (const struct phx_ipv4 *)at;
	__u32 header, length;

	if (at + sizeof(*ip) > end || payload < sizeof(*ip) || ip->version_ihl >> 4 != 4)
		return PHX_TUNNEL_CUT;
	phx_tunnel_destination(tunnel, ip->destination, 0, PHX_FAMILY_IPV4);
	header = (ip->version_ihl & 0xfu) * 4;
	length = PHX_SWAP16(ip->length);
	if (header < sizeof(*ip) || length < header || length > payload)
		return PHX_TUNNEL_LYING;
	return PHX_TUNNEL_SOUND;
}

/* at: the inner packet; payload: bytes that the outer header says it has. */
PHX_INLINE enum phx_tunnel_kind phx_inner_ipv6(const __u8 *at, const __u8 *end, __u32 payload,
					       struct phx_tunnel *tunnel)
{
	const struct phx_ipv6 *ip = (const struct phx_ipv6 *)at;

	if (at + sizeof(*ip) > end || payload < sizeof(*ip) || *at >> 4 != 6)
		return PHX_TUNNEL_CUT;
	phx_tunnel_destination(tunnel, ip->destination[0], ip->destination[1], PHX_FAMILY_IPV6);
	if (PHX_SWAP16(ip->payload_length) + sizeof(*ip) > payload)
		return PHX_TUNNEL_LYING;
	return PHX_TUNNEL_SOUND;
}

/* An outer header that promises more than the frame holds is as little to be trusted as an inner one. */
PHX_INLINE enum phx_tunnel_kind phx_parse_inner(const __u8 *at, const __u8 *end, __u32 payload, __u8 protocol,
						struct phx_tunnel *tunnel)
{
	enum phx_tunnel_kind kind = protocol == PHX_PROTOCOL_IPV4 ? phx_inner_ipv4(at, end, payload, tunnel)
								  : phx_inner_ipv6(at, end, payload, tunnel);

	if (kind == PHX_TUNNEL_SOUND && at + payload > end)
		return PHX_TUNNEL_LYING;
	return kind;
}

PHX_INLINE enum phx_tunnel_kind phx_outer_ipv4(const __u8 *at, const __u8 *end, struct phx_tunnel *tunnel)
{
	const struct phx_ipv4 *ip = (const struct phx_ipv4 *)at;
	__u32 length;

	if (at + sizeof(*ip) > end || ip->version_ihl >> 4 != 4)
		return PHX_TUNNEL_NONE;
	if (ip->protocol != PHX_PROTOCOL_IPV4 && ip->protocol != PHX_PROTOCOL_IPV6)
		return PHX_TUNNEL_NONE;
	tunnel->congested = (ip->traffic_class & PHX_ECN_MASK) == PHX_ECN_CONGESTED;
	phx_tunnel_source(tunnel, ip->source, 0, PHX_FAMILY_IPV4);
	if (ip->version_ihl > PHX_IPV4_PLAIN)
		return PHX_TUNNEL_OPTIONS;
	if (ip->fragment & PHX_SWAP16(PHX_IPV4_FRAGMENT_MASK))
		return PHX_TUNNEL_FRAGMENT;
	length = PHX_SWAP16(ip->length);
	if (ip->version_ihl < PHX_IPV4_PLAIN || length < sizeof(*ip))
		return PHX_TUNNEL_CUT;
	return phx_parse_inner(at + sizeof(*ip), end, length - (__u32)sizeof(*ip), ip->protocol, tunnel);
}

/* A fragment header hides what it carries; only one whose payload is a tunnel packet is taken for one. */
PHX_INLINE enum phx_tunnel_kind phx_outer_ipv6(const __u8 *at, const __u8 *end, struct phx_tunnel *tunnel)
{
	const struct phx_ipv6 *ip = (const struct phx_ipv6 *)at;
	__u8 protocol;

	if (at + sizeof(*ip) > end || *at >> 4 != 6)
		return PHX_TUNNEL_NONE;
	protocol = ip->next_header;
	if (protocol == PHX_PROTOCOL_FRAGMENT && at + sizeof(*ip) + 1 <= end)
		protocol = at[sizeof(*ip)];
	if (protocol != PHX_PROTOCOL_IPV4 && protocol != PHX_PROTOCOL_IPV6)
		return PHX_TUNNEL_NONE;
	tunnel->congested = (PHX_SWAP32(ip->version_class_label) >> 20 & PHX_ECN_MASK) == PHX_ECN_CONGESTED;
	phx_tunnel_source(tunnel, ip->source[0], ip->source[1], PHX_FAMILY_IPV6);
	if (ip->next_header == PHX_PROTOCOL_FRAGMENT)
		return PHX_TUNNEL_FRAGMENT;
	return phx_parse_inner(at + sizeof(*ip), end, PHX_SWAP16(ip->payload_length), protocol, tunnel);
}

/* data, end: the frame. tunnel: source is set unless NONE is returned, destination with LYING and SOUND. */
PHX_INLINE enum phx_tunnel_kind phx_parse_tunnel(const void *data, const void *end, struct phx_tunnel *tunnel)
{
	const struct phx_ethernet *ethernet = (const struct phx_ethernet *)data;
	const __u8 *at = (const __u8 *)data + sizeof(*ethernet);
	const __u8 *limit = (const __u8 *)end;

	if (at > limit)
		return PHX_TUNNEL_NONE;
	if (ethernet->type == PHX_SWAP16(PHX_ETHERTYPE_IPV4))
		return phx_outer_ipv4(at, limit, tunnel);
	if (ethernet->type == PHX_SWAP16(PHX_ETHERTYPE_IPV6))
		return phx_outer_ipv6(at, limit, tunnel);
	return PHX_TUNNEL_NONE;
}

/*
 * Hands the mark of a congested router on to the packet that it marked the tunnel of (RFC 6040 section 4.2),
 * as the kernel's own tunnels do. A packet that is not ECN-capable stays as it is: balancers copy the field
 * outwards, so that a mark on such a tunnel packet is somebody's error, and no reason to lose it.
 */
PHX_INLINE void phx_mark_congested_ipv4(struct phx_ipv4 *ip)
{
	__u16 before = phx_load32(ip) & 0xffff;

	if ((ip->traffic_class & PHX_ECN_MASK) == PHX_ECN_NOT_CAPABLE)
		return;
	ip->traffic_class |= PHX_ECN_CONGESTED;
	ip->checksum = phx_checksum_update(ip->checksum, before, phx_load32(ip) & 0xffff);
}

PHX_INLINE void phx_mark_congested_ipv6(struct phx_ipv6 *ip)
{
	__u32 word = PHX_SWAP32(ip->version_class_label);

	if ((word >> 20 & PHX_ECN_MASK) != PHX_ECN_NOT_CAPABLE)
		ip->version_class_label = PHX_SWAP32(word | PHX_ECN_CONGESTED << 20);
}

#endif /* PHALANX_LIB_TUNNEL_H */

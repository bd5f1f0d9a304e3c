/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a frame is to the agent: IP in IP or IP in GUE, each in any of the four combinations of families, or
 * nothing of its business.
 */
#ifndef PHALANX_LIB_TUNNEL_H
#define PHALANX_LIB_TUNNEL_H

#include "lib/checksum.h"
#include "lib/wire.h"

enum phx_tunnel_kind {
	PHX_TUNNEL_NONE,     /* no tunnel packet */
	PHX_TUNNEL_FRAGMENT, /* outer fragment */
	PHX_TUNNEL_OPTIONS,  /* outer IPv4 options */
	PHX_TUNNEL_VERSION,  /* GUE of another version */
	PHX_TUNNEL_CONTROL,  /* a GUE control message */
	PHX_TUNNEL_FLAGS,    /* GUE flags, which say what lies before the inner packet */
	PHX_TUNNEL_PROTOCOL, /* GUE that carries no IP packet */
	PHX_TUNNEL_CUT,      /* the inner destination cannot be read */
	PHX_TUNNEL_LYING,    /* lengths of outer, inner and frame contradict each other */
	PHX_TUNNEL_SOUND,
};

struct phx_tunnel {
	struct phx_agent_node source;     /* the outer source, as a key of `agent_nodes` */
	struct phx_agent_vip destination; /* the inner destination, as a key of `agent_vips` */
	__u8 ecn;                         /* of the outer header */
	__u8 is_gue;
	__u16 outer;        /* bytes before the inner packet, from the outer IP header on */
	__u8 private_words; /* of 4 bytes, the last before the inner packet: private data of gue */
	__u8 reserved[7];
} __attribute__((aligned(8))); /* verifier: the stack is accessed aligned */
PHX_ASSERT(PHX_OFFSET(struct phx_tunnel, source.address) == 8, "whole words");
PHX_ASSERT(PHX_OFFSET(struct phx_tunnel, destination) == 24, "whole words");
PHX_ASSERT(PHX_OFFSET(struct phx_tunnel, destination.family) == 40, "whole words");

/* The most that phx_tunnel.outer is. */
#define PHX_OUTER_LIMIT                                                                                      \
	(sizeof(struct phx_ipv6) + sizeof(struct phx_gue_headers) + PHX_PRIVATE_WORDS * sizeof(__u32))

#define PHX_ECN_MASK        3u
#define PHX_ECN_NOT_CAPABLE 0u
#define PHX_ECN_CAPABLE_1   1u
#define PHX_ECN_CAPABLE_0   2u
#define PHX_ECN_CONGESTED   3u

/* Of phx_gue.version_control_length. */
#define PHX_GUE_VERSION 0xc0u
#define PHX_GUE_CONTROL 0x20u
#define PHX_GUE_LENGTH  0x1fu

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

/*
 * Whether so many bytes, 65,535 at most, go beyond the frame. verifier: Linux 6.1 does not know how large a
 * value is whose bytes were swapped, and the compiler believes that nobody need be told.
 */
PHX_INLINE int phx_is_beyond(const __u8 *at, __u64 bytes, const __u8 *end)
{
	PHX_FORGET(bytes);
	return at + (bytes & 0xffff) > end;
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

/*
 * at: behind the outer IP header and what else stands before the inner packet, of `payload` bytes. An outer
 * header that promises more than the frame holds is as little to be trusted as an inner one.
 */
PHX_INLINE enum phx_tunnel_kind phx_parse_inner(const __u8 *at, const __u8 *end, __u32 payload, __u8 protocol,
						struct phx_tunnel *tunnel)
{
	enum phx_tunnel_kind kind = protocol == PHX_PROTOCOL_IPV4 ? phx_inner_ipv4(at, end, payload, tunnel)
								  : phx_inner_ipv6(at, end, payload, tunnel);

	if (kind == PHX_TUNNEL_SOUND && phx_is_beyond(at, payload, end))
		return PHX_TUNNEL_LYING;
	return kind;
}

/*
 * at: the UDP header; payload: bytes that the IP header says follow it. The words between the GUE header and
 * the inner packet are, without flags, private data: hops (second_chance.h judges them). The UDP checksum is
 * not looked at, whether it is 0, as nodes have it (RFC 6935), or not: the stack checks the inner packet's
 * own before anybody believes a byte of it, and the outer header decides nothing but whether a node sent it.
 */
PHX_INLINE enum phx_tunnel_kind phx_parse_gue(const __u8 *at, const __u8 *end, __u32 payload,
					      struct phx_tunnel *tunnel)
{
	const struct phx_gue_headers *headers = (const struct phx_gue_headers *)at;
	enum phx_tunnel_kind kind;
	__u32 length, before;

	tunnel->is_gue = 1;
	if (at + sizeof(*headers) > end || payload < sizeof(*headers))
		return PHX_TUNNEL_CUT;
	if (headers->gue.version_control_length & PHX_GUE_VERSION)
		return PHX_TUNNEL_VERSION;
	if (headers->gue.version_control_length & PHX_GUE_CONTROL)
		return PHX_TUNNEL_CONTROL;
	if (headers->gue.flags)
		return PHX_TUNNEL_FLAGS;
	if (headers->gue.protocol != PHX_PROTOCOL_IPV4 && headers->gue.protocol != PHX_PROTOCOL_IPV6)
		return PHX_TUNNEL_PROTOCOL;
	length = PHX_SWAP16(headers->udp.length);
	before = (__u32)sizeof(*headers) + (headers->gue.version_control_length & PHX_GUE_LENGTH) * 4u;
	if (length > payload || length < before)
		return PHX_TUNNEL_CUT;
	tunnel->outer += before;
	tunnel->private_words = headers->gue.version_control_length & PHX_GUE_LENGTH;
	kind = phx_parse_inner(at + before, end, length - before, headers->gue.protocol, tunnel);
	return kind == PHX_TUNNEL_SOUND && phx_is_beyond(at, payload, end) ? PHX_TUNNEL_LYING : kind;
}

/* at: behind the outer IP header, with its whole destination port; port: where GUE is expected, be. */
PHX_INLINE int phx_is_gue(const __u8 *at, const __u8 *end, __u16 port)
{
	return at + PHX_UDP_HEADER <= end && ((const struct phx_udp *)at)->destination_port == port;
}

PHX_INLINE int phx_is_ip_in_ip(__u8 protocol)
{
	return protocol == PHX_PROTOCOL_IPV4 || protocol == PHX_PROTOCOL_IPV6;
}

/* Fragments and options are judged for IP in IP only: behind them no port can be told. */
PHX_INLINE enum phx_tunnel_kind phx_outer_ipv4(const __u8 *at, const __u8 *end, __u16 port,
					       struct phx_tunnel *tunnel)
{
	const struct phx_ipv4 *ip = (const struct phx_ipv4 *)at;
	int plain;
	__u32 length;

	if (at + sizeof(*ip) > end || ip->version_ihl >> 4 != 4)
		return PHX_TUNNEL_NONE;
	plain = ip->version_ihl == PHX_IPV4_PLAIN && !(ip->fragment & PHX_SWAP16(PHX_IPV4_FRAGMENT_MASK));
	if (!phx_is_ip_in_ip(ip->protocol) &&
	    !(plain && ip->protocol == PHX_PROTOCOL_UDP && phx_is_gue(at + sizeof(*ip), end, port)))
		return PHX_TUNNEL_NONE;
	tunnel->ecn = ip->traffic_class & PHX_ECN_MASK;
	tunnel->is_gue = 0;
	tunnel->private_words = 0;
	tunnel->outer = sizeof(*ip);
	phx_tunnel_source(tunnel, ip->source, 0, PHX_FAMILY_IPV4);
	if (ip->version_ihl > PHX_IPV4_PLAIN)
		return PHX_TUNNEL_OPTIONS;
	if (ip->fragment & PHX_SWAP16(PHX_IPV4_FRAGMENT_MASK))
		return PHX_TUNNEL_FRAGMENT;
	length = PHX_SWAP16(ip->length);
	if (ip->version_ihl < PHX_IPV4_PLAIN || length < sizeof(*ip))
		return PHX_TUNNEL_CUT;
	length -= (__u32)sizeof(*ip);
	at += sizeof(*ip);
	if (ip->protocol == PHX_PROTOCOL_UDP)
		return phx_parse_gue(at, end, length, tunnel);
	return phx_parse_inner(at, end, length, ip->protocol, tunnel);
}

/*
 * A fragment header hides what it carries; only one whose payload is a tunnel packet is taken for one. Other
 * extension headers stand before no tunnel packet of a node's.
 */
PHX_INLINE enum phx_tunnel_kind phx_outer_ipv6(const __u8 *at, const __u8 *end, __u16 port,
					       struct phx_tunnel *tunnel)
{
	const struct phx_ipv6 *ip = (const struct phx_ipv6 *)at;
	const __u8 *behind = at + sizeof(*ip);
	__u8 protocol;

	if (behind > end || *at >> 4 != 6)
		return PHX_TUNNEL_NONE;
	protocol = ip->next_header;
	if (protocol == PHX_PROTOCOL_FRAGMENT && behind + 1 <= end)
		protocol = *behind;
	if (!phx_is_ip_in_ip(protocol) &&
	    !(ip->next_header == PHX_PROTOCOL_UDP && phx_is_gue(behind, end, port)))
		return PHX_TUNNEL_NONE;
	tunnel->ecn = PHX_SWAP32(ip->version_class_label) >> 20 & PHX_ECN_MASK;
	tunnel->is_gue = 0;
	tunnel->private_words = 0;
	tunnel->outer = sizeof(*ip);
	phx_tunnel_source(tunnel, ip->source[0], ip->source[1], PHX_FAMILY_IPV6);
	if (ip->next_header == PHX_PROTOCOL_FRAGMENT)
		return PHX_TUNNEL_FRAGMENT;
	if (ip->next_header == PHX_PROTOCOL_UDP)
		return phx_parse_gue(behind, end, PHX_SWAP16(ip->payload_length), tunnel);
	return phx_parse_inner(behind, end, PHX_SWAP16(ip->payload_length), protocol, tunnel);
}

/*
 * data, end: the frame; port: where GUE is expected, be. tunnel: of a kind but NONE all but the destination
 * is set, that with LYING and SOUND too.
 */
PHX_INLINE enum phx_tunnel_kind phx_parse_tunnel(const void *data, const void *end, __u16 port,
						 struct phx_tunnel *tunnel)
{
	const struct phx_ethernet *ethernet = (const struct phx_ethernet *)data;
	const __u8 *at = (const __u8 *)data + sizeof(*ethernet);
	const __u8 *limit = (const __u8 *)end;

	if (at > limit)
		return PHX_TUNNEL_NONE;
	if (ethernet->type == PHX_SWAP16(PHX_ETHERTYPE_IPV4))
		return phx_outer_ipv4(at, limit, port, tunnel);
	if (ethernet->type == PHX_SWAP16(PHX_ETHERTYPE_IPV6))
		return phx_outer_ipv6(at, limit, port, tunnel);
	return PHX_TUNNEL_NONE;
}

/* ------------------------------------------------------------------------------ congestion notification */

/*
 * The ECN field of the packet that leaves the tunnel (RFC 6040 section 4.2, figure 4): a mark made inside the
 * tunnel is handed on. Returns ~0 for the one case that must be dropped: a router has signalled congestion to
 * a sender that would not understand.
 */
PHX_INLINE __u32 phx_ecn_inside(__u32 inner, __u32 outer)
{
	if (outer == PHX_ECN_CONGESTED)
		return inner == PHX_ECN_NOT_CAPABLE ? ~0u : PHX_ECN_CONGESTED;
	if (outer == PHX_ECN_CAPABLE_1 && inner == PHX_ECN_CAPABLE_0)
		return PHX_ECN_CAPABLE_1;
	return inner;
}

/* Returns 0, with the packet untouched, where it must be dropped. */
PHX_INLINE int phx_ecn_ipv4(struct phx_ipv4 *ip, __u32 outer)
{
	__u32 inner = ip->traffic_class & PHX_ECN_MASK;
	__u32 left = phx_ecn_inside(inner, outer);
	__u16 before = phx_load32(ip) & 0xffff;

	if (left == ~0u)
		return 0;
	if (left != inner) {
		ip->traffic_class = (__u8)((ip->traffic_class & ~PHX_ECN_MASK) | left);
		ip->checksum = phx_checksum_update(ip->checksum, before, phx_load32(ip) & 0xffff);
	}
	return 1;
}

/* Returns 0, with the packet untouched, where it must be dropped. */
PHX_INLINE int phx_ecn_ipv6(struct phx_ipv6 *ip, __u32 outer)
{
	__u32 word = PHX_SWAP32(ip->version_class_label);
	__u32 left = phx_ecn_inside(word >> 20 & PHX_ECN_MASK, outer);

	if (left == ~0u)
		return 0;
	ip->version_class_label = PHX_SWAP32((word & ~(PHX_ECN_MASK << 20)) | left << 20);
	return 1;
}

#endif /* PHALANX_LIB_TUNNEL_H */

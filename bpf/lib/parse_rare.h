/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a frame is that phx_parse_plain() does not take: VLAN tags, IPv4 options, IPv6 extension headers,
 * fragments, ICMP, and whatever lies. Reads the packet, decides nothing about services.
 */
#ifndef PHALANX_LIB_PARSE_RARE_H
#define PHALANX_LIB_PARSE_RARE_H

#include <linux/bpf.h>

#include "lib/icmp_error.h"
#include "lib/parse.h"

/* verifier: what was stored is loaded anew, as something unknown, so that all ways to this place look the
 * same.
 */
#define PHX_RELOAD() asm volatile("" ::: "memory")

/* A program's context names its frame in 32 bits. */
typedef struct xdp_md phx_frame;
#define PHX_FRAME_DATA(frame) ((const __u8 *)(long)(frame)->data)
#define PHX_FRAME_END(frame)  ((const __u8 *)(long)(frame)->data_end)

enum phx_kind {
	PHX_KIND_FLOW,      /* TCP or UDP, whole or the first fragment: the flow is complete */
	PHX_KIND_ERROR,     /* ICMP error that quotes an answer of the flow */
	PHX_KIND_ECHO,      /* ICMP or ICMPv6 echo request */
	PHX_KIND_ICMP,      /* other ICMP */
	PHX_KIND_FRAGMENT,  /* later fragment of what may be a flow's datagram */
	PHX_KIND_PROTOCOL,  /* another protocol */
	PHX_KIND_EXTENSION, /* more extension headers than are walked */
	PHX_KIND_MALFORMED, /* truncated, or its lengths or version lie */
};

/* Furthest into a frame that an IP header is looked for: a quoted one, behind its error's own headers. */
#define PHX_MAX_IP (sizeof(struct phx_ethernet) + PHX_MAX_L4 + sizeof(struct phx_icmp))

/* Frames with more tags are foreign. */
#define PHX_VLAN_DEPTH 2

/* IPv6 extension headers that are walked, in a packet and in one that is quoted. */
#define PHX_MAX_EXTENSIONS 8

#define PHX_EXTENSION_UNIT 8u    /* bytes; no extension header is shorter */
#define PHX_EXTENSION_MAX  2048u /* bytes; none is longer */
PHX_ASSERT(sizeof(struct phx_ipv6) + PHX_MAX_EXTENSIONS * PHX_EXTENSION_MAX <= PHX_MAX_L4, "bound of l4");
#define PHX_MAX_DATAGRAM 65535u /* bytes of a datagram's payload */

/* -------------------------------------------------------------------------------- tags and destination */

struct phx_tags {
	__u32 words[PHX_VLAN_DEPTH]; /* as they lie in the frame, the outermost first */
	__u32 count;
};

PHX_INLINE int phx_is_tag(__u16 type)
{
	return type == PHX_SWAP16(PHX_ETHERTYPE_VLAN) || type == PHX_SWAP16(PHX_ETHERTYPE_QINQ);
}

PHX_INLINE void phx_own_row(struct phx_vip_key *key, __u64 first, __u64 second, __u8 family)
{
	phx_store64(key->address, first);
	phx_store64(key->address + 8, second);
	phx_store32(&key->port, (__u32)family << 24);
}

/*
 * data, end: the frame. vip: becomes the key of the destination's own row of `vips`. Returns 0 for a frame
 * that has no destination to be read: it is nobody's.
 */
PHX_INLINE int phx_parse_destination(const void *data, const void *end, struct phx_tags *tags,
				     struct phx_vip_key *vip)
{
	const struct phx_ethernet *ethernet = (const struct phx_ethernet *)data;
	const __u8 *at = (const __u8 *)data + sizeof(*ethernet);
	const __u8 *limit = (const __u8 *)end;
	__u16 type;

	if (at > limit)
		return 0;
	type = ethernet->type;
	for (tags->count = 0; tags->count < PHX_VLAN_DEPTH && phx_is_tag(type); tags->count++) {
		if (at + sizeof(struct phx_vlan_tag) > limit)
			return 0;
		tags->words[tags->count] = phx_load32(at - sizeof(type));
		type = ((const struct phx_vlan_tag *)at)->type;
		at += sizeof(struct phx_vlan_tag);
	}
	if (type == PHX_SWAP16(PHX_ETHERTYPE_IPV4) && at + sizeof(struct phx_ipv4) <= limit)
		phx_own_row(vip, ((const struct phx_ipv4 *)at)->destination, 0, PHX_FAMILY_IPV4);
	else if (type == PHX_SWAP16(PHX_ETHERTYPE_IPV6) && at + sizeof(struct phx_ipv6) <= limit)
		phx_own_row(vip, ((const struct phx_ipv6 *)at)->destination[0],
			    ((const struct phx_ipv6 *)at)->destination[1], PHX_FAMILY_IPV6);
	else
		return 0;
	return 1;
}

/* ------------------------------------------------------------------------- from the IP header to the next */

/* What an IP header and all that belongs to it leads to. */
struct phx_chain {
	__u32 l4;       /* bytes from the start of the IP header to what it carries */
	__u32 offset;   /* of a fragment: bytes of its datagram before it */
	__u32 more;     /* of a fragment: others follow it */
	__u32 id;       /* of a fragment: as struct phx_datagram has it */
	__u8 protocol;  /* of what it carries */
	__u8 fragments; /* protocol that the datagram has in all of its fragments */
};

PHX_INLINE int phx_is_extension(__u8 next_header)
{
	return next_header == PHX_PROTOCOL_HOP_BY_HOP || next_header == PHX_PROTOCOL_ROUTING ||
	       next_header == PHX_PROTOCOL_FRAGMENT || next_header == PHX_PROTOCOL_DESTINATION ||
	       next_header == PHX_PROTOCOL_AUTHENTICATION || next_header == PHX_PROTOCOL_MOBILITY ||
	       next_header == PHX_PROTOCOL_HIP || next_header == PHX_PROTOCOL_SHIM6;
}

/* Bytes of an extension header, by its second byte (RFC 8200; RFC 4302 section 2.2 counts by other units). */
PHX_INLINE __u32 phx_extension_size(__u8 kind, __u8 length)
{
	if (kind == PHX_PROTOCOL_FRAGMENT)
		return PHX_EXTENSION_UNIT;
	if (kind == PHX_PROTOCOL_AUTHENTICATION)
		return (length + 2u) * 4;
	return (length + 1u) * PHX_EXTENSION_UNIT;
}

PHX_INLINE void phx_chain_ipv4(struct phx_chain *chain, const struct phx_ipv4 *ip)
{
	__u16 fragment = PHX_SWAP16(ip->fragment);

	chain->l4 = (ip->version_ihl & 0xfu) * 4;
	chain->offset = (fragment & PHX_IPV4_OFFSET_MASK) * 8u;
	chain->more = fragment & PHX_IPV4_MORE_FRAGMENTS;
	chain->id = ip->id;
	chain->protocol = ip->protocol;
	chain->fragments = ip->protocol;
}

/* One extension header. Returns FLOW when it was read, MALFORMED otherwise. */
PHX_INLINE enum phx_kind phx_read_extension(const phx_frame *frame, __u32 at, __u32 length,
					    struct phx_chain *chain)
{
	__u32 l4 = chain->l4;
	const __u8 *header;
	__u8 kind = chain->protocol;

	if (l4 > PHX_MAX_L4 || l4 + PHX_EXTENSION_UNIT > length)
		return PHX_KIND_MALFORMED;
	header = PHX_FRAME_DATA(frame) + at + l4;
	if (header + PHX_EXTENSION_UNIT > PHX_FRAME_END(frame))
		return PHX_KIND_MALFORMED;
	chain->l4 = l4 + phx_extension_size(kind, header[1]);
	chain->protocol = header[0];
	if (kind == PHX_PROTOCOL_FRAGMENT) {
		chain->offset = PHX_SWAP16(*(const phx_wire16 *)(header + 2)) & PHX_IPV6_OFFSET_MASK;
		chain->more = header[3] & PHX_IPV6_MORE_FRAGMENTS;
		chain->id = phx_load32(header + 4);
		chain->fragments = chain->protocol;
	}
	return PHX_KIND_FLOW;
}

/*
 * at: where in the frame an IPv6 header lies, whose next header is chain->protocol; length: bytes that there
 * are of the packet. Walks up to what it carries, or to a fragment header behind which nothing can be read.
 * Returns FLOW, or why the walk ended before.
 */
PHX_ONCE enum phx_kind phx_walk_extensions(phx_frame *frame, __u32 at, __u32 length, struct phx_chain *chain)
{
	if (!chain || at > PHX_MAX_IP)
		return PHX_KIND_MALFORMED;
	for (int i = 0; i < PHX_MAX_EXTENSIONS; i++) {
		PHX_RELOAD();
		if (!phx_is_extension(chain->protocol))
			return PHX_KIND_FLOW;
		if (phx_read_extension(frame, at, length, chain) != PHX_KIND_FLOW)
			return PHX_KIND_MALFORMED;
		if (chain->offset)
			return PHX_KIND_FLOW;
	}
	return phx_is_extension(chain->protocol) ? PHX_KIND_EXTENSION : PHX_KIND_FLOW;
}

/* at: where in the frame the header lies. */
PHX_INLINE enum phx_kind phx_chain_ipv6(struct phx_chain *chain, phx_frame *frame, __u32 at, __u8 next_header,
					__u32 length)
{
	chain->l4 = sizeof(struct phx_ipv6);
	chain->offset = 0;
	chain->more = 0;
	chain->id = 0;
	chain->protocol = next_header;
	chain->fragments = 0;
	return phx_walk_extensions(frame, at, length, chain);
}

/* ------------------------------------------------------------------------------------------ ICMP errors */

/* at: where in the frame the quoted header lies, of which, with what follows, `room` bytes were quoted. */
PHX_INLINE enum phx_kind phx_chain_quoted(phx_frame *frame, __u32 at, __u32 room, struct phx_chain *chain,
					  struct phx_packet *packet)
{
	const __u8 *quoted = PHX_FRAME_DATA(frame) + at;
	const struct phx_ipv4 *ipv4 = (const struct phx_ipv4 *)quoted;
	const struct phx_ipv6 *ipv6 = (const struct phx_ipv6 *)quoted;

	if (packet->flow.to.family == PHX_FAMILY_IPV4) {
		if (room < sizeof(*ipv4) || quoted + sizeof(*ipv4) > PHX_FRAME_END(frame) ||
		    ipv4->version_ihl >> 4 != 4 || ipv4->version_ihl < PHX_IPV4_PLAIN ||
		    ipv4->source != phx_load32(packet->flow.to.address))
			return PHX_KIND_ICMP;
		phx_chain_ipv4(chain, ipv4);
		phx_store64(packet->flow.source, ipv4->destination);
		return PHX_KIND_FLOW;
	}
	if (room < sizeof(*ipv6) || quoted + sizeof(*ipv6) > PHX_FRAME_END(frame) || *quoted >> 4 != 6 ||
	    ipv6->source[0] != phx_load64(packet->flow.to.address) ||
	    ipv6->source[1] != phx_load64(packet->flow.to.address + 8))
		return PHX_KIND_ICMP;
	phx_store64(packet->flow.source, ipv6->destination[0]);
	phx_store64(packet->flow.source + 8, ipv6->destination[1]);
	return phx_chain_ipv6(chain, frame, at, ipv6->next_header, room);
}

/*
 * at: where in the frame the packet lies that an error quotes, as far as `room` bytes. Turns the packet's
 * flow into the one whose answer is quoted: the VIP is the quoted source. Returns ERROR, or ICMP if no flow
 * is quoted.
 */
PHX_ONCE enum phx_kind phx_parse_quoted(phx_frame *frame, __u32 at, __u32 room, struct phx_packet *packet)
{
	struct phx_chain chain = {};
	const __u8 *ports;
	__u32 l4, both;

	if (!packet || at > PHX_MAX_IP || phx_chain_quoted(frame, at, room, &chain, packet) != PHX_KIND_FLOW)
		return PHX_KIND_ICMP;
	l4 = chain.l4;
	if (chain.offset || !phx_has_ports(chain.protocol) || l4 > PHX_QUOTED_MAX || l4 + sizeof(both) > room)
		return PHX_KIND_ICMP;
	ports = PHX_FRAME_DATA(frame) + at + l4;
	if (ports + sizeof(both) > PHX_FRAME_END(frame))
		return PHX_KIND_ICMP;
	both = phx_load32(ports);
	both = both >> 16 | both << 16;
	phx_store64(&packet->flow.to.port, phx_flow_tail(both, chain.protocol, packet->flow.to.family));
	packet->quoted = (__u8)(l4 / 4);
	return PHX_KIND_ERROR;
}

/* at: where in the frame the ICMP header lies, with which `payload` bytes follow the IP header. */
PHX_INLINE enum phx_kind phx_parse_icmp(phx_frame *frame, __u32 at, __u32 payload, struct phx_packet *packet)
{
	const struct phx_icmp *icmp = (const struct phx_icmp *)(PHX_FRAME_DATA(frame) + at);
	__u8 family = packet->flow.to.family;

	if (payload < sizeof(*icmp) || (const __u8 *)(icmp + 1) > PHX_FRAME_END(frame))
		return PHX_KIND_MALFORMED;
	if (phx_is_echo_request(icmp, family))
		return PHX_KIND_ECHO;
	if (!phx_is_error(icmp, family))
		return PHX_KIND_ICMP;
	return phx_parse_quoted(frame, at + (__u32)sizeof(*icmp), payload - (__u32)sizeof(*icmp), packet);
}

/* ------------------------------------------------------------------------------------------- the packet */

/*
 * Later fragments have nothing but the protocol to be told by; that of an IPv6 one may be an extension header
 * before what the datagram carries, which only the first fragment shows.
 */
PHX_INLINE enum phx_kind phx_parse_later(__u8 protocol, __u8 icmp)
{
	if (protocol == icmp)
		return PHX_KIND_ICMP;
	if (phx_has_ports(protocol) || (icmp == PHX_PROTOCOL_ICMPV6 && phx_is_extension(protocol)))
		return PHX_KIND_FRAGMENT;
	return PHX_KIND_PROTOCOL;
}

/*
 * The packet's length lies within the frame. A first fragment must have as much of the header behind it as a
 * whole packet: with the ports alone, the flags would come in a fragment of the sender's choice (RFC 1858).
 */
PHX_INLINE enum phx_kind phx_parse_carried(phx_frame *frame, __u32 at, const struct phx_chain *chain,
					   struct phx_packet *packet)
{
	__u8 icmp = packet->flow.to.family == PHX_FAMILY_IPV4 ? PHX_PROTOCOL_ICMP : PHX_PROTOCOL_ICMPV6;
	__u8 protocol = chain->protocol;
	__u32 l4 = chain->l4;
	__u32 payload = packet->length - l4;
	const __u8 *ports;

	if (l4 > PHX_MAX_L4 || l4 > packet->length || chain->offset + payload > PHX_MAX_DATAGRAM)
		return PHX_KIND_MALFORMED;
	packet->l4 = (__u16)l4;
	packet->part = chain->offset ? PHX_PART_LATER : chain->more ? PHX_PART_FIRST : PHX_PART_WHOLE;
	if (chain->offset)
		return phx_parse_later(protocol, icmp);
	l4 += at;
	if (protocol == icmp)
		return chain->more ? PHX_KIND_ICMP : phx_parse_icmp(frame, l4, payload, packet);
	if (!phx_has_ports(protocol))
		return PHX_KIND_PROTOCOL;
	ports = PHX_FRAME_DATA(frame) + l4;
	if (payload < phx_l4_header(protocol) || ports + PHX_UDP_HEADER > PHX_FRAME_END(frame))
		return PHX_KIND_MALFORMED;
	phx_store64(&packet->flow.to.port,
		    phx_flow_tail(phx_load32(ports), protocol, packet->flow.to.family));
	return PHX_KIND_FLOW;
}

PHX_INLINE enum phx_kind phx_parse_rare_ipv4(phx_frame *frame, __u32 at, struct phx_chain *chain,
					     struct phx_packet *packet)
{
	const __u8 *header = PHX_FRAME_DATA(frame) + at;
	const struct phx_ipv4 *ip = (const struct phx_ipv4 *)header;
	__u32 length;

	if (header + sizeof(*ip) > PHX_FRAME_END(frame))
		return PHX_KIND_MALFORMED;
	phx_flow_ipv4(&packet->flow, ip, phx_flow_tail(0, 0, PHX_FAMILY_IPV4));
	length = phx_swapped_length(ip->length);
	phx_describe(packet, (__u16)length, ip->traffic_class, PHX_PART_WHOLE, 0);
	phx_chain_ipv4(chain, ip);
	if (ip->version_ihl >> 4 != 4 || chain->l4 < sizeof(*ip) || header + length > PHX_FRAME_END(frame))
		return PHX_KIND_MALFORMED;
	return PHX_KIND_FLOW;
}

PHX_INLINE enum phx_kind phx_parse_rare_ipv6(phx_frame *frame, __u32 at, struct phx_chain *chain,
					     struct phx_packet *packet)
{
	const __u8 *header = PHX_FRAME_DATA(frame) + at;
	const struct phx_ipv6 *ip = (const struct phx_ipv6 *)header;
	__u32 word, payload;

	if (header + sizeof(*ip) > PHX_FRAME_END(frame))
		return PHX_KIND_MALFORMED;
	word = PHX_SWAP32(ip->version_class_label);
	payload = phx_swapped_length(ip->payload_length);
	phx_flow_ipv6(&packet->flow, ip, phx_flow_tail(0, 0, PHX_FAMILY_IPV6));
	phx_describe(packet, (__u16)(payload + sizeof(*ip)), (__u8)(word >> 20), PHX_PART_WHOLE, 0);
	if (word >> 28 != 6 || header + sizeof(*ip) + payload > PHX_FRAME_END(frame))
		return PHX_KIND_MALFORMED;
	return phx_chain_ipv6(chain, frame, at, ip->next_header, payload + (__u32)sizeof(*ip));
}

/*
 * at: where in the frame the IP header of this family lies. chain, packet: of FLOW, ERROR, ECHO and FRAGMENT
 * complete; of the others as far as they were read.
 */
PHX_INLINE enum phx_kind phx_parse_rare_at(phx_frame *frame, __u32 at, __u8 family, struct phx_chain *chain,
					   struct phx_packet *packet)
{
	enum phx_kind kind = family == PHX_FAMILY_IPV4 ? phx_parse_rare_ipv4(frame, at, chain, packet)
						       : phx_parse_rare_ipv6(frame, at, chain, packet);

	PHX_RELOAD();
	return kind == PHX_KIND_FLOW ? phx_parse_carried(frame, at, chain, packet) : kind;
}

/* frame: without tags, its destination could be read (phx_parse_destination). */
PHX_INLINE enum phx_kind phx_parse_rare(phx_frame *frame, struct phx_chain *chain, struct phx_packet *packet)
{
	const struct phx_ethernet *ethernet = (const struct phx_ethernet *)PHX_FRAME_DATA(frame);
	__u8 family;

	if ((const __u8 *)(ethernet + 1) > PHX_FRAME_END(frame))
		return PHX_KIND_MALFORMED;
	family = ethernet->type == PHX_SWAP16(PHX_ETHERTYPE_IPV4) ? PHX_FAMILY_IPV4 : PHX_FAMILY_IPV6;
	return phx_parse_rare_at(frame, sizeof(*ethernet), family, chain, packet);
}

#endif /* PHALANX_LIB_PARSE_RARE_H */

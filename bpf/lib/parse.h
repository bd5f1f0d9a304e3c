/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What nearly every packet of a service is: untagged, IPv4 without options or IPv6 without extension headers,
 * TCP or UDP, whole. parse_rare.h knows the rest.
 */
#ifndef PHALANX_LIB_PARSE_H
#define PHALANX_LIB_PARSE_H

#include "lib/hash.h"

/*
 * Furthest that phx_packet.l4 can be. verifier: it must know a bound where the packet is read there; this one
 * is above what the extension headers that are walked can add up to.
 */
#define PHX_MAX_L4 0x4fffu

/* How much of its datagram a packet is. */
enum phx_part {
	PHX_PART_WHOLE,
	PHX_PART_FIRST, /* the first fragment, which has the ports */
	PHX_PART_LATER, /* one of the other fragments */
};

struct phx_packet {
	struct phx_flow flow; /* of a later fragment without ports and protocol */
	__u16 length;         /* of the IP packet as its header states; host order */
	__u8 traffic_class;
	__u8 part;   /* enum phx_part */
	__u16 l4;    /* bytes from the start of the IP header to that of TCP, UDP or ICMP */
	__u8 quoted; /* 0, or it is an ICMP error, and the flow that which it quotes an answer of: words of 4
			bytes from the quoted IP header, 8 bytes behind l4, to the quoted ports */
	__u8 reserved;
};
PHX_ASSERT(sizeof(struct phx_packet) == 48, "packet size");
PHX_ASSERT(PHX_OFFSET(struct phx_packet, length) == 40, "what phx_describe writes at once");
PHX_ASSERT(PHX_OFFSET(struct phx_packet, l4) == 44, "what phx_describe writes at once");

/* What phx_flow holds from to.port on, for one store: partial stores would stall the loads of the whole. */
PHX_INLINE __u64 phx_flow_tail(__u32 ports, __u8 protocol, __u8 family)
{
	return (__u64)(ports & 0xffff) << 32 | (__u64)family << 24 | (__u64)protocol << 16 | ports >> 16;
}

/* tail: phx_flow_tail(). */
PHX_INLINE void phx_flow_ipv4(struct phx_flow *flow, const struct phx_ipv4 *ip, __u64 tail)
{
	phx_store64(flow->to.address, ip->destination);
	phx_store64(flow->to.address + 8, 0);
	phx_store64(&flow->to.port, tail);
	phx_store64(flow->source, ip->source);
	phx_store64(flow->source + 8, 0);
}

PHX_INLINE void phx_flow_ipv6(struct phx_flow *flow, const struct phx_ipv6 *ip, __u64 tail)
{
	phx_store64(flow->to.address, ip->destination[0]);
	phx_store64(flow->to.address + 8, ip->destination[1]);
	phx_store64(&flow->to.port, tail);
	phx_store64(flow->source, ip->source[0]);
	phx_store64(flow->source + 8, ip->source[1]);
}

/* Sets all but the flow. */
PHX_INLINE void phx_describe(struct phx_packet *packet, __u16 length, __u8 traffic_class, enum phx_part part,
			     __u16 l4)
{
	phx_store64(&packet->length,
		    (__u64)l4 << 32 | (__u64)part << 24 | (__u64)traffic_class << 16 | length);
}

/* Bytes that a packet of a flow has at least behind its IP header. protocol: TCP or UDP. */
PHX_INLINE __u32 phx_l4_header(__u8 protocol)
{
	return protocol == PHX_PROTOCOL_TCP ? PHX_TCP_HEADER : PHX_UDP_HEADER;
}

PHX_INLINE int phx_has_ports(__u8 protocol)
{
	return protocol == PHX_PROTOCOL_TCP || protocol == PHX_PROTOCOL_UDP;
}

PHX_INLINE int phx_parse_plain_ipv4(const __u8 *at, const __u8 *end, struct phx_packet *packet)
{
	const struct phx_ipv4 *ip = (const struct phx_ipv4 *)at;
	const __u8 *l4 = at + sizeof(*ip);
	__u32 length;

	if (l4 + PHX_UDP_HEADER > end)
		return 0;
	length = phx_swapped_length(ip->length);
	if (ip->version_ihl != PHX_IPV4_PLAIN || ip->fragment & PHX_SWAP16(PHX_IPV4_FRAGMENT_MASK) ||
	    !phx_has_ports(ip->protocol))
		return 0;
	if (length < sizeof(*ip) + phx_l4_header(ip->protocol) || at + length > end)
		return 0;
	phx_flow_ipv4(&packet->flow, ip, phx_flow_tail(phx_load32(l4), ip->protocol, PHX_FAMILY_IPV4));
	phx_describe(packet, (__u16)length, ip->traffic_class, PHX_PART_WHOLE, sizeof(*ip));
	return 1;
}

PHX_INLINE int phx_parse_plain_ipv6(const __u8 *at, const __u8 *end, struct phx_packet *packet)
{
	const struct phx_ipv6 *ip = (const struct phx_ipv6 *)at;
	const __u8 *l4 = at + sizeof(*ip);
	__u32 word, payload;

	if (l4 + PHX_UDP_HEADER > end)
		return 0;
	word = PHX_SWAP32(ip->version_class_label);
	payload = phx_swapped_length(ip->payload_length);
	if (word >> 28 != 6 || !phx_has_ports(ip->next_header))
		return 0;
	if (payload < phx_l4_header(ip->next_header) || l4 + payload > end)
		return 0;
	phx_flow_ipv6(&packet->flow, ip, phx_flow_tail(phx_load32(l4), ip->next_header, PHX_FAMILY_IPV6));
	phx_describe(packet, (__u16)(payload + sizeof(*ip)), (__u8)(word >> 20), PHX_PART_WHOLE, sizeof(*ip));
	return 1;
}

/* data, end: the frame. Returns 0 for whatever is not plain, with the packet undefined. */
PHX_INLINE int phx_parse_plain(const void *data, const void *end, struct phx_packet *packet)
{
	const struct phx_ethernet *ethernet = (const struct phx_ethernet *)data;
	const __u8 *at = (const __u8 *)data + sizeof(*ethernet);
	const __u8 *limit = (const __u8 *)end;

	if (at > limit)
		return 0;
	if (ethernet->type == PHX_SWAP16(PHX_ETHERTYPE_IPV4))
		return phx_parse_plain_ipv4(at, limit, packet);
	if (ethernet->type == PHX_SWAP16(PHX_ETHERTYPE_IPV6))
		return phx_parse_plain_ipv6(at, limit, packet);
	return 0;
}

#endif /* PHALANX_LIB_PARSE_H */

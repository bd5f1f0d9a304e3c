/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a frame is to the balancer. Reads the packet, decides nothing about services. */
#ifndef PHALANX_LIB_PARSE_H
#define PHALANX_LIB_PARSE_H

#include "lib/hash.h"

/* From PHX_KIND_FLOW on, kinds follow the order of the counters of packets that no service takes. */
enum phx_kind {
	PHX_KIND_FOREIGN, /* for no VIP, whatever the VIPs are */
	PHX_KIND_ECHO,    /* ICMP or ICMPv6 echo request */
	PHX_KIND_FLOW,    /* TCP or UDP, whole and plain: flow is complete */
	PHX_KIND_PROTOCOL,
	PHX_KIND_FRAGMENT,
	PHX_KIND_OPTIONS,
	PHX_KIND_EXTENSION,
	PHX_KIND_VLAN,
	PHX_KIND_MALFORMED,
};

/* Tags that are looked through for the sake of counting; frames with more of them are foreign. */
#define PHX_VLAN_DEPTH 2

struct phx_packet {
	struct phx_flow flow; /* for kinds other than FLOW: of `to`, the address and the family only */
	__u16 length;         /* of the IP packet as its header states; host order */
	__u8 traffic_class;
	__u8 reserved[5];
};

/* What phx_flow holds from to.port on, for one store: partial stores would stall the loads of the whole. */
PHX_INLINE __u64 phx_flow_tail(__u32 ports, __u8 protocol, __u8 family)
{
	return (__u64)(ports & 0xffff) << 32 | (__u64)family << 24 | (__u64)protocol << 16 | ports >> 16;
}

PHX_INLINE void phx_flow_ipv4(struct phx_flow *flow, const struct phx_ipv4 *ip)
{
	phx_store64(flow->to.address, ip->destination);
	phx_store64(flow->to.address + 8, 0);
	phx_store64(&flow->to.port, phx_flow_tail(0, 0, PHX_FAMILY_IPV4));
	phx_store64(flow->source, ip->source);
	phx_store64(flow->source + 8, 0);
}

PHX_INLINE void phx_flow_ipv6(struct phx_flow *flow, const struct phx_ipv6 *ip)
{
	phx_store64(flow->to.address, ip->destination[0]);
	phx_store64(flow->to.address + 8, ip->destination[1]);
	phx_store64(&flow->to.port, phx_flow_tail(0, 0, PHX_FAMILY_IPV6));
	phx_store64(flow->source, ip->source[0]);
	phx_store64(flow->source + 8, ip->source[1]);
}

/*
 * l4: the first byte behind the IP header; payload: bytes that the IP header says follow it. The caller has
 * made sure that they lie within the frame; the comparison with end is for the verifier, which cannot know
 * that.
 */
PHX_INLINE enum phx_kind phx_parse_flow(const __u8 *l4, const __u8 *end, __u32 payload, __u8 protocol,
					struct phx_packet *packet)
{
	__u32 header = protocol == PHX_PROTOCOL_TCP ? PHX_TCP_HEADER : PHX_UDP_HEADER;

	if (payload < header || l4 + PHX_UDP_HEADER > end)
		return PHX_KIND_MALFORMED;
	phx_store64(&packet->flow.to.port, phx_flow_tail(phx_load32(l4), protocol, packet->flow.to.family));
	return PHX_KIND_FLOW;
}

PHX_INLINE enum phx_kind phx_parse_icmp(const __u8 *l4, const __u8 *end, __u32 payload, __u8 echo_request)
{
	const struct phx_icmp *icmp = (const struct phx_icmp *)l4;

	if (payload < sizeof(*icmp) || l4 + sizeof(*icmp) > end)
		return PHX_KIND_MALFORMED;
	if (icmp->type == echo_request && icmp->code == 0)
		return PHX_KIND_ECHO;
	return PHX_KIND_PROTOCOL;
}

PHX_INLINE enum phx_kind phx_parse_ipv4(const __u8 *at, const __u8 *end, struct phx_packet *packet)
{
	const struct phx_ipv4 *ip = (const struct phx_ipv4 *)at;
	__u32 header, payload;

	if (at + sizeof(*ip) > end)
		return PHX_KIND_FOREIGN;
	phx_flow_ipv4(&packet->flow, ip);
	packet->length = PHX_SWAP16(ip->length);
	packet->traffic_class = ip->traffic_class;

	header = (ip->version_ihl & 0xfu) * 4;
	if (ip->version_ihl >> 4 != 4 || header < sizeof(*ip) || packet->length < header ||
	    at + packet->length > end)
		return PHX_KIND_MALFORMED;
	if (header > sizeof(*ip))
		return PHX_KIND_OPTIONS;
	if (ip->fragment & PHX_SWAP16(PHX_IPV4_FRAGMENT_MASK))
		return PHX_KIND_FRAGMENT;

	payload = packet->length - (__u32)sizeof(*ip);
	at += sizeof(*ip);
	if (ip->protocol == PHX_PROTOCOL_TCP || ip->protocol == PHX_PROTOCOL_UDP)
		return phx_parse_flow(at, end, payload, ip->protocol, packet);
	if (ip->protocol == PHX_PROTOCOL_ICMP)
		return phx_parse_icmp(at, end, payload, PHX_ICMP_ECHO_REQUEST);
	return PHX_KIND_PROTOCOL;
}

PHX_INLINE int phx_is_extension(__u8 next_header)
{
	return next_header == PHX_PROTOCOL_HOP_BY_HOP || next_header == PHX_PROTOCOL_ROUTING ||
	       next_header == PHX_PROTOCOL_DESTINATION || next_header == PHX_PROTOCOL_AUTHENTICATION ||
	       next_header == PHX_PROTOCOL_MOBILITY || next_header == PHX_PROTOCOL_HIP ||
	       next_header == PHX_PROTOCOL_SHIM6;
}

PHX_INLINE enum phx_kind phx_parse_ipv6(const __u8 *at, const __u8 *end, struct phx_packet *packet)
{
	const struct phx_ipv6 *ip = (const struct phx_ipv6 *)at;
	__u32 word, payload;

	if (at + sizeof(*ip) > end)
		return PHX_KIND_FOREIGN;
	phx_flow_ipv6(&packet->flow, ip);
	word = PHX_SWAP32(ip->version_class_label);
	payload = PHX_SWAP16(ip->payload_length);
	packet->length = (__u16)(payload + sizeof(*ip));
	packet->traffic_class = (__u8)(word >> 20);

	at += sizeof(*ip);
	if (word >> 28 != 6 || at + payload > end)
		return PHX_KIND_MALFORMED;
	if (ip->next_header == PHX_PROTOCOL_TCP || ip->next_header == PHX_PROTOCOL_UDP)
		return phx_parse_flow(at, end, payload, ip->next_header, packet);
	if (ip->next_header == PHX_PROTOCOL_ICMPV6)
		return phx_parse_icmp(at, end, payload, PHX_ICMPV6_ECHO_REQUEST);
	if (ip->next_header == PHX_PROTOCOL_FRAGMENT)
		return PHX_KIND_FRAGMENT;
	if (phx_is_extension(ip->next_header))
		return PHX_KIND_EXTENSION;
	return PHX_KIND_PROTOCOL;
}

/* at: behind the Ethernet header; type: of that header. */
PHX_INLINE enum phx_kind phx_parse_tagged(const __u8 *at, const __u8 *end, __u16 type,
					  struct phx_packet *packet)
{
	for (int depth = 0; depth < PHX_VLAN_DEPTH; depth++) {
		if (type != PHX_SWAP16(PHX_ETHERTYPE_VLAN) && type != PHX_SWAP16(PHX_ETHERTYPE_QINQ))
			break;
		if (at + sizeof(struct phx_vlan_tag) > end)
			return PHX_KIND_FOREIGN;
		type = ((const struct phx_vlan_tag *)at)->type;
		at += sizeof(struct phx_vlan_tag);
	}
	if (type == PHX_SWAP16(PHX_ETHERTYPE_IPV4) && at + sizeof(struct phx_ipv4) <= end)
		phx_flow_ipv4(&packet->flow, (const struct phx_ipv4 *)at);
	else if (type == PHX_SWAP16(PHX_ETHERTYPE_IPV6) && at + sizeof(struct phx_ipv6) <= end)
		phx_flow_ipv6(&packet->flow, (const struct phx_ipv6 *)at);
	else
		return PHX_KIND_FOREIGN;
	return PHX_KIND_VLAN;
}

/*
 * data, end: the frame. Sets packet unless it returns PHX_KIND_FOREIGN. Decided here, in this order: too
 * short for its destination address: foreign; lengths or version that lie: MALFORMED; IPv4 options; fragments
 * (also a first one, and an atomic IPv6 one); the protocol; a TCP, UDP or ICMP header that is cut off:
 * MALFORMED.
 */
PHX_INLINE enum phx_kind phx_parse(const void *data, const void *end, struct phx_packet *packet)
{
	const struct phx_ethernet *ethernet = (const struct phx_ethernet *)data;
	const __u8 *at = (const __u8 *)data + sizeof(*ethernet);
	const __u8 *limit = (const __u8 *)end;

	if (at > limit)
		return PHX_KIND_FOREIGN;
	if (ethernet->type == PHX_SWAP16(PHX_ETHERTYPE_IPV4))
		return phx_parse_ipv4(at, limit, packet);
	if (ethernet->type == PHX_SWAP16(PHX_ETHERTYPE_IPV6))
		return phx_parse_ipv6(at, limit, packet);
	return phx_parse_tagged(at, limit, ethernet->type, packet);
}

#endif /* PHALANX_LIB_PARSE_H */

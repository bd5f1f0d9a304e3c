/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stateless network address translation: another address and port take the place of one of a packet's ends,
 * and of the same in what an ICMP error quotes (RFC 5508 section 4). Checksums are updated, never computed: a
 * packet that was damaged on its way stays recognisably damaged.
 */
#ifndef PHALANX_LIB_NAT_H
#define PHALANX_LIB_NAT_H

#include "lib/checksum.h"
#include "lib/parse.h"

enum phx_end {
	PHX_END_SOURCE,
	PHX_END_DESTINATION,
};

/*
 * Bytes from the IP header on to what it carries, or 0 when they are too many. verifier: the bound must be
 * that of the very register that the header is reached by, and the compiler would load it anew.
 */
PHX_INLINE __u64 phx_nat_offset(const struct phx_packet *packet)
{
	__u64 l4 = packet->l4;

	PHX_FORGET(l4);
	if (l4 > PHX_MAX_L4)
		return 0;
	PHX_FORGET(l4); /* or this comparison and the caller's become one, of another number */
	return l4;
}

/* What an error quotes went the other way. */
PHX_INLINE enum phx_end phx_other_end(enum phx_end which)
{
	return which == PHX_END_SOURCE ? PHX_END_DESTINATION : PHX_END_SOURCE;
}

/* ------------------------------------------------------------------------------------------ TCP and UDP */

#define PHX_TCP_CHECKSUM 16u /* bytes before it */
#define PHX_UDP_CHECKSUM 6u

/*
 * The checksum after what it covers changed. room: bytes of the packet from the ports on. Returns 0 where
 * there is none: a quote that was cut off before it, a UDP datagram that does without.
 */
PHX_INLINE int phx_nat_checksum(__u8 *ports, const __u8 *end, __u32 room, __u8 protocol, __u64 change)
{
	int is_udp = protocol == PHX_PROTOCOL_UDP;
	__u32 offset = is_udp ? PHX_UDP_CHECKSUM : PHX_TCP_CHECKSUM;
	phx_wire16 *checksum = (phx_wire16 *)(ports + offset);

	if (room < offset + sizeof(*checksum) || (const __u8 *)(checksum + 1) > end || (is_udp && !*checksum))
		return 0;
	*checksum = phx_checksum_after(*checksum, change);
	if (is_udp && !*checksum)
		*checksum = 0xffff; /* RFC 768: 0 says that there is none */
	return 1;
}

/*
 * change: of the addresses. Returns what the bytes from the ports on have changed by, or ~0 when they lie
 * beyond the frame. Where the checksum follows, it takes up all that changed: what is left is the opposite of
 * what changed elsewhere.
 */
PHX_INLINE __u64 phx_nat_port(__u8 *ports, const __u8 *end, __u32 room, __u8 protocol, enum phx_end which,
			      __u16 port, __u64 change)
{
	phx_wire16 *field = (phx_wire16 *)ports + (which == PHX_END_DESTINATION);
	__u64 of_port;

	if (ports + 2 * sizeof(*field) > end)
		return ~0ull;
	of_port = phx_change16(*field, port);
	*field = port;
	return phx_nat_checksum(ports, end, room, protocol, change + of_port) ? phx_change_back(change)
									      : of_port;
}

/* ------------------------------------------------------------------------------------------------- IPv4 */

/* Returns the change of the address; that of the header as a whole is none, as its checksum follows. */
PHX_INLINE __u64 phx_nat_address_ipv4(struct phx_ipv4 *ip, enum phx_end which, __u32 address)
{
	phx_wire32 *field = which == PHX_END_SOURCE ? &ip->source : &ip->destination;
	__u64 change = phx_change32(*field, address);

	*field = address;
	ip->checksum = phx_checksum_after(ip->checksum, change);
	return change;
}

/* An error may come from a router between: the header has the address that is translated only if it does not.
 */
PHX_INLINE int phx_nat_error_ipv4(struct phx_ipv4 *ip, const __u8 *end, const struct phx_packet *packet,
				  __u64 l4, enum phx_end which, __u32 address, __u16 port)
{
	struct phx_icmp *icmp = (struct phx_icmp *)((__u8 *)ip + l4);
	struct phx_ipv4 *quote = (struct phx_ipv4 *)(icmp + 1);
	__u32 quoted = packet->quoted * 4u;
	__u32 room = packet->length - (__u32)l4 - (__u32)sizeof(*icmp) - quoted;
	__u32 former;
	__u64 change;

	if ((const __u8 *)(quote + 1) > end)
		return 0;
	former = which == PHX_END_SOURCE ? quote->destination : quote->source;
	if ((which == PHX_END_SOURCE ? ip->source : ip->destination) == former)
		phx_nat_address_ipv4(ip, which, address);
	change = phx_nat_address_ipv4(quote, phx_other_end(which), address);
	change = phx_nat_port((__u8 *)quote + quoted, end, room, packet->flow.to.protocol,
			      phx_other_end(which), port, change);
	if (change == ~0ull)
		return 0;
	icmp->checksum = phx_checksum_after(icmp->checksum, change);
	return 1;
}

/*
 * ip, end: the packet's header and the end of the frame; packet: as parsed. Returns 0 for a packet that does
 * not lie in the frame.
 */
PHX_INLINE int phx_nat_ipv4(struct phx_ipv4 *ip, const __u8 *end, const struct phx_packet *packet,
			    enum phx_end which, __u32 address, __u16 port)
{
	__u64 l4 = phx_nat_offset(packet);
	__u64 change;

	if ((const __u8 *)(ip + 1) > end || !l4)
		return 0;
	if (packet->quoted)
		return phx_nat_error_ipv4(ip, end, packet, l4, which, address, port);
	change = phx_nat_address_ipv4(ip, which, address);
	if (packet->part == PHX_PART_LATER)
		return 1;
	return phx_nat_port((__u8 *)ip + l4, end, packet->length - (__u32)l4, packet->flow.to.protocol, which,
			    port, change) != ~0ull;
}

/* ------------------------------------------------------------------------------------------------- IPv6 */

PHX_INLINE phx_wire64 *phx_end_ipv6(struct phx_ipv6 *ip, enum phx_end which)
{
	return which == PHX_END_SOURCE ? ip->source : ip->destination;
}

/* Returns the change, which the header has no checksum to make up for. */
PHX_INLINE __u64 phx_nat_address_ipv6(struct phx_ipv6 *ip, enum phx_end which, const __u8 *address)
{
	phx_wire64 *field = phx_end_ipv6(ip, which);
	__u64 first = phx_load64(address), second = phx_load64(address + 8);
	__u64 change = phx_change64(field[0], first) + phx_change64(field[1], second);

	field[0] = first;
	field[1] = second;
	return change;
}

/* The checksum of ICMPv6 covers the pseudo-header too (RFC 4443 section 2.3). */
PHX_INLINE int phx_nat_error_ipv6(struct phx_ipv6 *ip, const __u8 *end, const struct phx_packet *packet,
				  __u64 l4, enum phx_end which, const __u8 *address, __u16 port)
{
	struct phx_icmp *icmp = (struct phx_icmp *)((__u8 *)ip + l4);
	struct phx_ipv6 *quote = (struct phx_ipv6 *)(icmp + 1);
	__u32 quoted = packet->quoted * 4u;
	__u32 room = packet->length - (__u32)l4 - (__u32)sizeof(*icmp) - quoted;
	__u64 outer = 0, inner, behind;
	phx_wire64 *of_packet, *of_quote;

	if ((const __u8 *)(quote + 1) > end)
		return 0;
	of_packet = phx_end_ipv6(ip, which);
	of_quote = phx_end_ipv6(quote, phx_other_end(which));
	if (of_packet[0] == of_quote[0] && of_packet[1] == of_quote[1])
		outer = phx_nat_address_ipv6(ip, which, address);
	inner = phx_nat_address_ipv6(quote, phx_other_end(which), address);
	behind = phx_nat_port((__u8 *)quote + quoted, end, room, packet->flow.to.protocol,
			      phx_other_end(which), port, inner);
	if (behind == ~0ull)
		return 0;
	icmp->checksum = phx_checksum_after(icmp->checksum, outer + inner + behind);
	return 1;
}

/* As phx_nat_ipv4(); address: 16 bytes. */
PHX_INLINE int phx_nat_ipv6(struct phx_ipv6 *ip, const __u8 *end, const struct phx_packet *packet,
			    enum phx_end which, const __u8 *address, __u16 port)
{
	__u64 l4 = phx_nat_offset(packet);
	__u64 change;

	if ((const __u8 *)(ip + 1) > end || !l4)
		return 0;
	if (packet->quoted)
		return phx_nat_error_ipv6(ip, end, packet, l4, which, address, port);
	change = phx_nat_address_ipv6(ip, which, address);
	if (packet->part == PHX_PART_LATER)
		return 1;
	return phx_nat_port((__u8 *)ip + l4, end, packet->length - (__u32)l4, packet->flow.to.protocol, which,
			    port, change) != ~0ull;
}

#endif /* PHALANX_LIB_NAT_H */

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Turns a TCP segment that nobody takes into its reset, in place. The caller checks bounds, cuts off, and
 * writes the Ethernet header.
 */
#ifndef PHALANX_LIB_RESET_H
#define PHALANX_LIB_RESET_H

#include "lib/answer.h"

/*
 * The reset of a segment to a port where nobody listens (RFC 9293 section 3.10.7.1). segment: its bytes,
 * header included. pseudo: the sum of the addresses. Returns 0, with the header untouched, for a segment that
 * gets none: another reset, or one whose data offset lies.
 */
PHX_INLINE int phx_reset_tcp(struct phx_tcp *tcp, __u32 segment, __u64 pseudo)
{
	__u32 header = (tcp->data_offset >> 4) * 4u;
	__u32 ports = phx_load32(tcp), sequence = 0, acknowledgment = 0;
	__u8 flags = PHX_TCP_RST;

	if (tcp->flags & PHX_TCP_RST || header < PHX_TCP_HEADER || header > segment)
		return 0;
	if (tcp->flags & PHX_TCP_ACK) {
		sequence = tcp->acknowledgment;
	} else {
		flags |= PHX_TCP_ACK;
		acknowledgment = PHX_SWAP32(PHX_SWAP32(tcp->sequence) + segment - header +
					    !!(tcp->flags & PHX_TCP_SYN) + !!(tcp->flags & PHX_TCP_FIN));
	}
	__u32 words[5] = {
		ports >> 16 | ports << 16,
		sequence,
		acknowledgment,
		PHX_SWAP32((PHX_TCP_HEADER / 4) << 28 | (__u32)flags << 16),
		0,
	};
	__u64 sum = pseudo + phx_pseudo_sum(PHX_TCP_HEADER, PHX_PROTOCOL_TCP) + words[0] + words[1] +
		    words[2] + words[3];

	words[4] = phx_checksum_finish(sum);
	for (int i = 0; i < 5; i++)
		((phx_wire32 *)tcp)[i] = words[i];
	return 1;
}

/* Returns 0, with the packet untouched, for a segment that gets none. The rest is to be cut off. */
PHX_INLINE int phx_reset_ipv4(struct phx_ipv4 *ip, struct phx_tcp *tcp)
{
	__u32 client = ip->source, vip = ip->destination;
	__u32 segment = PHX_SWAP16(ip->length) - (__u32)sizeof(*ip);

	if (!phx_reset_tcp(tcp, segment, (__u64)client + vip))
		return 0;
	phx_write_answer_ipv4(ip, sizeof(*ip) + PHX_TCP_HEADER, PHX_PROTOCOL_TCP, vip, client);
	return 1;
}

/* Returns 0, with the packet untouched, for a segment that gets none. The rest is to be cut off. */
PHX_INLINE int phx_reset_ipv6(struct phx_ipv6 *ip, struct phx_tcp *tcp)
{
	__u32 segment = PHX_SWAP16(ip->payload_length);

	if (!phx_reset_tcp(tcp, segment, phx_sum_ipv6_addresses(ip)))
		return 0;
	phx_swap_ipv6(ip);
	phx_write_answer_ipv6(ip, PHX_TCP_HEADER, PHX_PROTOCOL_TCP);
	return 1;
}

#endif /* PHALANX_LIB_RESET_H */

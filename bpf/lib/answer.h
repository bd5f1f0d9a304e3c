/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every packet that the path itself sends back to a client has in common: whom it may go to, and how. */
#ifndef PHALANX_LIB_ANSWER_H
#define PHALANX_LIB_ANSWER_H

#include "lib/checksum.h"

#define PHX_ANSWER_TTL 64u

PHX_INLINE void phx_swap_macs(struct phx_ethernet *ethernet)
{
	phx_wire16 *destination = (phx_wire16 *)ethernet->destination;
	phx_wire16 *source = (phx_wire16 *)ethernet->source;

	for (int i = 0; i < 3; i++) {
		__u16 kept = destination[i];

		destination[i] = source[i];
		source[i] = kept;
	}
}

/*
 * A group may be neither answered nor answered as (RFC 1122 sections 3.2.1.3, 3.2.2 and 4.2.3.10, RFC 4443
 * section 2.4 e): the frame must have been sent to one station, and come from an address that can only be one
 * host's. source: as it lies on the wire.
 */
PHX_INLINE int phx_may_answer_ipv4(const struct phx_ethernet *ethernet, __u32 source)
{
	__u8 first = (__u8)source;

	return !(ethernet->destination[0] & 1) && first != 0 && first != 127 && first < 224;
}

/* first, second: the halves of the source. */
PHX_INLINE int phx_may_answer_ipv6(const struct phx_ethernet *ethernet, __u64 first, __u64 second)
{
	const __u64 loopback = 1ull << 56; /* the second half of ::1 */

	return !(ethernet->destination[0] & 1) && (first & 0xff) != 0xff && (first | second) != 0 &&
	       (first || second != loopback);
}

/* The pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1) but for the addresses. */
PHX_INLINE __u64 phx_pseudo_sum(__u32 length, __u8 protocol)
{
	return (__u64)PHX_SWAP16(length) + PHX_SWAP16(protocol);
}

PHX_INLINE __u64 phx_sum_ipv6_addresses(const struct phx_ipv6 *ip)
{
	const phx_wire32 *words = (const phx_wire32 *)ip->source;
	__u64 sum = 0;

	for (int i = 0; i < 8; i++)
		sum += words[i];
	return sum;
}

/* An IPv4 header without options (RFC 791) of a packet that is never fragmented, hence id 0 (RFC 6864). */
PHX_INLINE void phx_write_answer_ipv4(struct phx_ipv4 *ip, __u32 length, __u8 protocol, __u32 source,
				      __u32 destination)
{
	__u32 words[3] = {
		PHX_SWAP32(PHX_IPV4_PLAIN << 24 | length),
		PHX_SWAP32(PHX_IPV4_DONT_FRAGMENT),
		PHX_SWAP32(PHX_ANSWER_TTL << 24 | (__u32)protocol << 16),
	};
	__u64 sum = (__u64)words[0] + words[1] + words[2] + source + destination;

	phx_store32(&ip->version_ihl, words[0]);
	phx_store32(&ip->id, words[1]);
	phx_store32(&ip->ttl, words[2] | (__u32)phx_checksum_finish(sum) << 16);
	ip->source = source;
	ip->destination = destination;
}

/* The rest of an IPv6 header whose addresses are written. */
PHX_INLINE void phx_write_answer_ipv6(struct phx_ipv6 *ip, __u32 payload, __u8 next_header)
{
	ip->version_class_label = PHX_SWAP32(6u << 28);
	ip->payload_length = PHX_SWAP16(payload);
	ip->next_header = next_header;
	ip->hop_limit = PHX_ANSWER_TTL;
}

PHX_INLINE void phx_swap_ipv6(struct phx_ipv6 *ip)
{
	for (int i = 0; i < 2; i++) {
		__u64 kept = ip->source[i];

		ip->source[i] = ip->destination[i];
		ip->destination[i] = kept;
	}
}

#endif /* PHALANX_LIB_ANSWER_H */

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Turns an echo request into its reply, in place (RFC 792, RFC 4443 section 4.2). Checksums are updated, not
 * computed: a request that was damaged on its way stays recognisably damaged.
 */
#ifndef PHALANX_LIB_ECHO_H
#define PHALANX_LIB_ECHO_H

#include "lib/answer.h"
#include "lib/checksum.h"

/* Type and code are the first 16-bit word that the checksum covers; the code is 0 in both. */
PHX_INLINE void phx_echo_type(struct phx_icmp *icmp, __u8 reply)
{
	__u16 checksum = phx_checksum_update(icmp->checksum, icmp->type, reply);

	icmp->checksum =
		checksum ? checksum : 0xffff; /* of a reply that is all zeros only the latter is right */
	icmp->type = reply;
}

/* Returns 0, with the packet untouched, for a request that must not be answered. */
PHX_INLINE int phx_echo_ipv4(struct phx_ethernet *ethernet, struct phx_ipv4 *ip, struct phx_icmp *icmp)
{
	__u32 client = ip->source;
	__u16 before = phx_load32(&ip->ttl) & 0xffff;

	if (!phx_may_answer_ipv4(ethernet, client))
		return 0;
	phx_swap_macs(ethernet);
	ip->source = ip->destination;
	ip->destination = client;
	ip->ttl = PHX_ANSWER_TTL;
	ip->checksum = phx_checksum_update(ip->checksum, before, phx_load32(&ip->ttl) & 0xffff);
	phx_echo_type(icmp, PHX_ICMP_ECHO_REPLY);
	return 1;
}

/* Returns 0, with the packet untouched, for a request that must not be answered. */
PHX_INLINE int phx_echo_ipv6(struct phx_ethernet *ethernet, struct phx_ipv6 *ip, struct phx_icmp *icmp)
{
	if (!phx_may_answer_ipv6(ethernet, ip->source[0], ip->source[1]))
		return 0;
	phx_swap_macs(ethernet);
	phx_swap_ipv6(ip);
	ip->hop_limit = PHX_ANSWER_TTL;
	phx_echo_type(icmp, PHX_ICMPV6_ECHO_REPLY);
	return 1;
}

#endif /* PHALANX_LIB_ECHO_H */

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Turns an echo request into its reply, in place (RFC 792, RFC 4443 section 4.2). Checksums are updated, not
 * computed: a request that was damaged on its way stays recognisably damaged.
 */
#ifndef PHALANX_LIB_ECHO_H
#define PHALANX_LIB_ECHO_H

#include "lib/checksum.h"
#include "lib/wire.h"

#define PHX_ECHO_TTL 64u

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

/* Type and code are the first 16-bit word that the checksum covers; the code is 0 in both. */
PHX_INLINE void phx_echo_type(struct phx_icmp *icmp, __u8 reply)
{
	icmp->checksum = phx_checksum_update(icmp->checksum, icmp->type, reply);
	icmp->type = reply;
}

/*
 * A group may be neither answered nor answered as (RFC 1122 section 3.2.1.3, RFC 4443 section 2.4 e): the
 * frame must have been sent to one station, and come from an address that can only be one host's.
 */
PHX_INLINE int phx_echo_is_group(const struct phx_ethernet *ethernet)
{
	return ethernet->destination[0] & 1;
}

/* Returns 0, with the packet untouched, for a request that must not be answered. */
PHX_INLINE int phx_echo_ipv4(struct phx_ethernet *ethernet, struct phx_ipv4 *ip, struct phx_icmp *icmp)
{
	__u32 client = ip->source;
	__u8 first = (__u8)client;
	__u16 before = phx_load32(&ip->ttl) & 0xffff;

	if (phx_echo_is_group(ethernet) || first == 0 || first >= 224)
		return 0;
	phx_swap_macs(ethernet);
	ip->source = ip->destination;
	ip->destination = client;
	ip->ttl = PHX_ECHO_TTL;
	ip->checksum = phx_checksum_update(ip->checksum, before, phx_load32(&ip->ttl) & 0xffff);
	phx_echo_type(icmp, PHX_ICMP_ECHO_REPLY);
	return 1;
}

/* Returns 0, with the packet untouched, for a request that must not be answered. */
PHX_INLINE int phx_echo_ipv6(struct phx_ethernet *ethernet, struct phx_ipv6 *ip, struct phx_icmp *icmp)
{
	__u64 client[2] = {ip->source[0], ip->source[1]};

	if (phx_echo_is_group(ethernet) || (client[0] & 0xff) == 0xff || (client[0] | client[1]) == 0)
		return 0;
	phx_swap_macs(ethernet);
	ip->source[0] = ip->destination[0];
	ip->source[1] = ip->destination[1];
	ip->destination[0] = client[0];
	ip->destination[1] = client[1];
	ip->hop_limit = PHX_ECHO_TTL;
	phx_echo_type(icmp, PHX_ICMPV6_ECHO_REPLY);
	return 1;
}

#endif /* PHALANX_LIB_ECHO_H */

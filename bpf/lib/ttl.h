/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life that a packet has left, of which every router takes one (RFC 1812 section 5.3.1, RFC 8200). */
#ifndef PHALANX_LIB_TTL_H
#define PHALANX_LIB_TTL_H

#include "lib/wire.h"

/*
 * TTL, protocol and checksum are one word. The checksum's update by RFC 1624 comes down to adding one to it,
 * for the TTL is the first byte of its 16 bits; 0xffff never stands for 0. ttl > 0.
 */
PHX_INLINE void phx_age_ipv4(struct phx_ipv4 *ip)
{
	__u32 word = phx_load32(&ip->ttl);
	__u32 checksum = (word >> 16) + 1;

	checksum += checksum >= 0xffff;
	phx_store32(&ip->ttl, checksum << 16 | ((word & 0xffff) - 1));
}

#endif /* PHALANX_LIB_TTL_H */

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The Internet checksum (RFC 1071) and its incremental update (RFC 1624). Byte order does not matter to
 * either. */
#ifndef PHALANX_LIB_CHECKSUM_H
#define PHALANX_LIB_CHECKSUM_H

#include "lib/wire.h"

/* sum: of up to 65,536 32-bit words. Returns the checksum to write. */
PHX_INLINE __u16 phx_checksum_finish(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/*
 * What a change adds to the sums that cover it. Changes add up, and each may be of any even number of bytes.
 */
PHX_INLINE __u64 phx_change16(__u16 before, __u16 after)
{
	return (__u64)(__u16)~before + after;
}

PHX_INLINE __u64 phx_change32(__u32 before, __u32 after)
{
	return (__u64)(__u32)~before + after;
}

PHX_INLINE __u64 phx_change64(__u64 before, __u64 after)
{
	return phx_change32((__u32)before, (__u32)after) +
	       phx_change32((__u32)(before >> 32), (__u32)(after >> 32));
}

/* The change that undoes another: the complement of what that comes to in 16 bits. */
PHX_INLINE __u64 phx_change_back(__u64 change)
{
	return phx_checksum_finish(change);
}

/* The checksum after what it covers has changed (RFC 1624, equation 3). */
PHX_INLINE __u16 phx_checksum_after(__u16 checksum, __u64 change)
{
	return phx_checksum_finish((__u64)(__u16)~checksum + change);
}

/* The checksum after one of the 16-bit words that it covers changed. */
PHX_INLINE __u16 phx_checksum_update(__u16 checksum, __u16 before, __u16 after)
{
	return phx_checksum_after(checksum, phx_change16(before, after));
}

#endif /* PHALANX_LIB_CHECKSUM_H */

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

/* The checksum after one of the 16-bit words that it covers changed (RFC 1624, equation 3). */
PHX_INLINE __u16 phx_checksum_update(__u16 checksum, __u16 before, __u16 after)
{
	return phx_checksum_finish((__u64)(__u16)~checksum + (__u16)~before + after);
}

#endif /* PHALANX_LIB_CHECKSUM_H */

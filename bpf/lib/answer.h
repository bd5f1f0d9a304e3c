/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every packet that the path itself sends back to a client has in common: whom it may go to, and how. */
#ifndef PHALANX_LIB_ANSWER_H
#define PHALANX_LIB_ANSWER_H

#include "lib/wire.h"

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

	return !(ethernet->destination[0] & 1) && first != 0 && first < 224;
}

/* first, second: the halves of the source. */
PHX_INLINE int phx_may_answer_ipv6(const struct phx_ethernet *ethernet, __u64 first, __u64 second)
{
	return !(ethernet->destination[0] & 1) && (first & 0xff) != 0xff && (first | second) != 0;
}

#endif /* PHALANX_LIB_ANSWER_H */

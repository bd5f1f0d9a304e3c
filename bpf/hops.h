/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hops: which backends may know a packet's flow if the one that it is sent to does not. Part of the contract
 * (phalanx.h), between nodes and agents: private data of GUE (draft-ietf-intarea-gue-09 section 3.4), between
 * the GUE header and the inner packet. W: nodes; agents, `next` alone. R: agents.
 *
 *   byte   version 0                                  version 1
 *   0      0x00: version 0 in the upper four bits     0x10: version 1 in the upper four bits
 *   1      0x00                                       0x00
 *   2      next: how many of the hops have had the packet, 0 when it leaves the node
 *   3      count: how many hops there are
 *   4..7   hop 0, an IPv4 address                     4..19   hop 0, an IPv6 address, or an IPv4 one
 *   8..11  hop 1, and so on, 4 bytes each                     as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2)
 *                                                     20..35  hop 1, and so on, 16 bytes each
 *
 * Addresses are in network byte order. The private data ends with the last hop: the length in the GUE header,
 * in words of 4 bytes, is 1 + count in version 0 and 1 + 4 * count in version 1, and at most 31, so that
 * there is room for 30 hops or 7. A packet without private data has no hops, and so has one with a count of
 * 0.
 *
 * Version 0 is the format of GLB Director, whose first two bytes are a type of 0, and of the cls_redirect
 * selftest of the Linux kernel. That one has two flags in the lower bits of byte 0 (to pass on every SYN, and
 * to use GRE towards the last hop), which nodes do not set and agents do not know: with them set, byte 0 is
 * of an unknown version.
 */
#ifndef PHALANX_HOPS_H
#define PHALANX_HOPS_H

#include <linux/types.h>

struct phx_hops {
	__u8 version;  /* enum phx_hops_version */
	__u8 reserved; /* 0 */
	__u8 next;
	__u8 count;
};
PHX_ASSERT(sizeof(struct phx_hops) == 4, "hops, without the addresses");

/* Byte 0. */
enum phx_hops_version {
	PHX_HOPS_VERSION_0 = 0x00,
	PHX_HOPS_VERSION_1 = 0x10,
};

#define PHX_HOP_SIZE_0 4u  /* bytes of an address in version 0 */
#define PHX_HOP_SIZE_1 16u /* and in version 1 */

/* What nodes write at most: the members of {primary, previous, backup} but the chosen one. */
#define PHX_MAX_HOPS 2u

/* What the length in the GUE header allows. */
#define PHX_PRIVATE_WORDS 31u
#define PHX_HOPS_LIMIT    (PHX_PRIVATE_WORDS - 1)

#endif /* PHALANX_HOPS_H */

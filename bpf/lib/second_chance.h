/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Hops (hops.h says what they look like), as nodes write them. */
#ifndef PHALANX_LIB_SECOND_CHANCE_H
#define PHALANX_LIB_SECOND_CHANCE_H

#include "lib/wire.h"

/* The most that phx_hops_size() is of what nodes write. */
#define PHX_HOPS_MOST (sizeof(struct phx_hops) + PHX_MAX_HOPS * PHX_HOP_SIZE_1)

/* The version that holds hops of these families, enum phx_family; NONE of a hop that there is not. */
PHX_INLINE enum phx_hops_version phx_hops_version_of(__u8 first, __u8 second)
{
	return first == PHX_FAMILY_IPV6 || second == PHX_FAMILY_IPV6 ? PHX_HOPS_VERSION_1
								     : PHX_HOPS_VERSION_0;
}

PHX_INLINE __u32 phx_hop_size(enum phx_hops_version version)
{
	return version == PHX_HOPS_VERSION_0 ? PHX_HOP_SIZE_0 : PHX_HOP_SIZE_1;
}

/* Bytes between the GUE header and the inner packet. */
PHX_INLINE __u32 phx_hops_size(enum phx_hops_version version, __u32 count)
{
	return count ? (__u32)sizeof(struct phx_hops) + count * phx_hop_size(version) : 0;
}

/* What stands before an IPv4 address in version 1, in the second half of the first 12 bytes. */
#define PHX_MAPPED_PREFIX PHX_SWAP32(0x0000ffffu)

PHX_INLINE void phx_write_hops_header(__u8 *at, enum phx_hops_version version, __u8 count)
{
	struct phx_hops *hops = (struct phx_hops *)at;

	hops->version = (__u8)version;
	hops->reserved = 0;
	hops->next = 0;
	hops->count = count;
}

/* second: 0 when there is one hop. */
PHX_INLINE int phx_write_hops_0(__u8 *at, const __u8 *end, const __u8 *first, const __u8 *second)
{
	__u8 *hop = at + sizeof(struct phx_hops);

	if (hop + PHX_HOP_SIZE_0 > end)
		return 0;
	phx_write_hops_header(at, PHX_HOPS_VERSION_0, second ? 2 : 1);
	phx_store32(hop, phx_load32(first));
	if (!second)
		return 1;
	if (hop + 2 * PHX_HOP_SIZE_0 > end)
		return 0;
	phx_store32(hop + PHX_HOP_SIZE_0, phx_load32(second));
	return 1;
}

/* An address of 16 bytes, of which there is room. */
PHX_INLINE void phx_write_hop_1(__u8 *at, __u8 family, const __u8 *address)
{
	if (family == PHX_FAMILY_IPV4) {
		phx_store64(at, 0);
		phx_store32(at + 8, PHX_MAPPED_PREFIX);
		phx_store32(at + 12, phx_load32(address));
		return;
	}
	phx_store64(at, phx_load64(address));
	phx_store64(at + 8, phx_load64(address + 8));
}

/* second: 0 when there is one hop. */
PHX_INLINE int phx_write_hops_1(__u8 *at, const __u8 *end, __u8 first_family, const __u8 *first,
				__u8 second_family, const __u8 *second)
{
	__u8 *hop = at + sizeof(struct phx_hops);

	if (hop + PHX_HOP_SIZE_1 > end)
		return 0;
	phx_write_hops_header(at, PHX_HOPS_VERSION_1, second ? 2 : 1);
	phx_write_hop_1(hop, first_family, first);
	if (!second)
		return 1;
	if (hop + 2 * PHX_HOP_SIZE_1 > end)
		return 0;
	phx_write_hop_1(hop + PHX_HOP_SIZE_1, second_family, second);
	return 1;
}

/*
 * at: behind the GUE header, whose length in words is phx_hops_size() / 4. first, second: addresses as in
 * phalanx.h; the second 0, of family NONE, when there is one hop. Returns 0 when they would go beyond `end`.
 */
PHX_INLINE int phx_write_hops(__u8 *at, const __u8 *end, __u8 first_family, const __u8 *first,
			      __u8 second_family, const __u8 *second)
{
	if (phx_hops_version_of(first_family, second_family) == PHX_HOPS_VERSION_0)
		return phx_write_hops_0(at, end, first, second);
	return phx_write_hops_1(at, end, first_family, first, second_family, second);
}

#endif /* PHALANX_LIB_SECOND_CHANCE_H */

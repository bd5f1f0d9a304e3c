/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Hops (hops.h says what they look like): written by nodes, judged and used up by agents. */
#ifndef PHALANX_LIB_SECOND_CHANCE_H
#define PHALANX_LIB_SECOND_CHANCE_H

#include "lib/wire.h"

/* ----------------------------------------------------------------------------------------- writing, on nodes
 */

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

/* --------------------------------------------------------------------------------------- judging, on
 * backends */

enum phx_hops_kind {
	PHX_HOPS_NONE,     /* there are none: the packet is for the host that it came to */
	PHX_HOPS_NEXT,     /* there is one that has not had the packet */
	PHX_HOPS_USED_UP,  /* all have had it: this host is the last */
	PHX_HOPS_UNKNOWN,  /* of another version */
	PHX_HOPS_CUT,      /* the private data ends before the last hop */
	PHX_HOPS_TRAILING, /* it goes on behind the last hop */
	PHX_HOPS_BEYOND,   /* `next` is greater than `count` */
};

/* at: the private data, `bytes` (> 0) of it. The frame has been seen to hold them; verifier: which `end`
 * tells. */
PHX_INLINE enum phx_hops_kind phx_judge_hops(const __u8 *at, const __u8 *end, __u32 bytes)
{
	const struct phx_hops *hops = (const struct phx_hops *)at;
	__u32 version, size;

	if (bytes < sizeof(*hops) || at + sizeof(*hops) > end)
		return PHX_HOPS_CUT;
	version = hops->version;
	if ((version != PHX_HOPS_VERSION_0 && version != PHX_HOPS_VERSION_1) || hops->reserved)
		return PHX_HOPS_UNKNOWN;
	size = (__u32)sizeof(*hops) + hops->count * phx_hop_size((enum phx_hops_version)version);
	if (bytes < size)
		return PHX_HOPS_CUT;
	if (bytes > size)
		return PHX_HOPS_TRAILING;
	if (hops->next > hops->count)
		return PHX_HOPS_BEYOND;
	if (hops->next < hops->count)
		return PHX_HOPS_NEXT;
	return hops->count ? PHX_HOPS_USED_UP : PHX_HOPS_NONE;
}

/* `address` is of an IPv4 hop in its first four bytes, of an IPv6 one whole; the prefix is the whole address.
 */
PHX_INLINE void phx_hop(struct phx_agent_node *hop, __u64 first, __u64 second, __u8 family)
{
	phx_store64(hop, (__u64)family << 32 | (32 + (family == PHX_FAMILY_IPV4 ? 32 : 128)));
	phx_store64(hop->address, first);
	phx_store64(hop->address + 8, second);
}

/*
 * at: private data of kind NEXT. hop: becomes the next one, as a key of `agent_nodes`. Returns 0 where the
 * frame ends before, which it does not for what phx_judge_hops() has seen.
 */
PHX_INLINE int phx_read_hop(const __u8 *at, const __u8 *end, struct phx_agent_node *hop)
{
	const struct phx_hops *hops = (const struct phx_hops *)at;
	const __u8 *address;
	__u64 first;
	__u32 next;

	if (at + sizeof(*hops) > end)
		return 0;
	next = hops->next;
	PHX_FORGET(next);
	next &= PHX_PRIVATE_WORDS; /* verifier: a bound */
	address = at + sizeof(*hops);
	if (hops->version == PHX_HOPS_VERSION_0) {
		address += (__u64)next * PHX_HOP_SIZE_0;
		if (address + PHX_HOP_SIZE_0 > end)
			return 0;
		phx_hop(hop, phx_load32(address), 0, PHX_FAMILY_IPV4);
		return 1;
	}
	address += (__u64)next * PHX_HOP_SIZE_1;
	if (address + PHX_HOP_SIZE_1 > end)
		return 0;
	first = phx_load64(address);
	if (!first && phx_load32(address + 8) == PHX_MAPPED_PREFIX)
		phx_hop(hop, phx_load32(address + 12), 0, PHX_FAMILY_IPV4);
	else
		phx_hop(hop, first, phx_load64(address + 8), PHX_FAMILY_IPV6);
	return 1;
}

PHX_INLINE int phx_is_same_host(const struct phx_agent_node *one, const struct phx_agent_node *other)
{
	return phx_load64(one) == phx_load64(other) &&
	       phx_load64(one->address) == phx_load64(other->address) &&
	       phx_load64(one->address + 8) == phx_load64(other->address + 8);
}

/*
 * Whether the next hop has had the packet already. own: the address that the packet came to; from: its outer
 * source; next: how many of the hops have had it. While that is 0, the source is a node's, which may be a
 * backend too (node.agent), and a hop for good reason. Longer circles end with the last hop.
 */
PHX_INLINE int phx_is_loop(const struct phx_agent_node *hop, const struct phx_agent_node *own,
			   const struct phx_agent_node *from, __u32 next)
{
	return phx_is_same_host(hop, own) || (next && phx_is_same_host(hop, from));
}

#endif /* PHALANX_LIB_SECOND_CHANCE_H */

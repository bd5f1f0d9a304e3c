/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The slot hash: which slot of its service a flow falls into. The packet path and `phalanx route` call the
 * same function; every node of a fleet must compute the same, so that a change here is a change of
 * table_version.
 */
#ifndef PHALANX_LIB_HASH_H
#define PHALANX_LIB_HASH_H

#include "lib/wire.h"

/*
 * A flow, as its packets towards the VIP say it. The key of `vips` comes first, so that the path looks up
 * what it hashes without copying; the 8 bytes from to.port on are read and written at once.
 */
struct phx_flow {
	struct phx_vip_key to; /* the VIP, its port, protocol and family */
	__u16 source_port;     /* be */
	__u16 reserved;        /* 0 */
	__u8 source[16];       /* the client, as every address in phalanx.h */
} __attribute__((aligned(8))); /* verifier: the stack is accessed aligned */
PHX_ASSERT(sizeof(struct phx_flow) == 40, "flow size");
PHX_ASSERT(PHX_OFFSET(struct phx_flow, to.port) == 16, "flow ports");
PHX_ASSERT(PHX_OFFSET(struct phx_flow, source_port) == 20, "flow source port");
PHX_ASSERT(PHX_OFFSET(struct phx_flow, source) == 24, "flow source");

/* Odd, without pattern: the constants of MurmurHash3's and of Mix13's finalizers (Stafford, 2011). */
#define PHX_HASH_FIRST  0xff51afd7ed558ccdull
#define PHX_HASH_SECOND 0xc4ceb9fe1a85ec53ull
#define PHX_HASH_LAST   0xbf58476d1ce4e5b9ull

PHX_INLINE __u64 phx_mix(__u64 value, __u64 odd)
{
	value *= odd;
	return value ^ value >> 32;
}

/*
 * flow: all fields set, with reserved bytes and the unused bytes of IPv4 addresses zero. seed: the service's.
 * Returns 64 bits, each of which depends on all of the input. The low 32 choose the slot (phx_slot_index);
 * the high 32 are independent of the slot and free for other uses (the outer flow label is made of them).
 *
 * A chain of multiplications and shifts, the seed first: each step is a bijection of what it is given, so
 * that flows which differ in one word only (sequential ports, sequential clients) never collide in 64 bits,
 * and who does not know the seed cannot aim at a slot with more success than by chance.
 */
PHX_INLINE __u64 phx_slot_hash(const struct phx_flow *flow, __u64 seed)
{
	__u64 hash;

	if (flow->to.family == PHX_FAMILY_IPV4) {
		hash = (__u64)phx_load32(flow->source) << 32 | phx_load32(flow->to.address);
		hash = phx_mix(hash ^ seed, PHX_HASH_FIRST);
	} else {
		hash = phx_mix(phx_load64(flow->source) ^ seed, PHX_HASH_FIRST);
		hash = phx_mix(hash ^ phx_load64(flow->source + 8), PHX_HASH_SECOND);
		hash = phx_mix(hash ^ phx_load64(flow->to.address), PHX_HASH_LAST);
		hash = phx_mix(hash ^ phx_load64(flow->to.address + 8), PHX_HASH_FIRST);
	}
	hash = phx_mix(hash ^ phx_load64(&flow->to.port), PHX_HASH_SECOND);
	return phx_mix(hash, PHX_HASH_LAST);
}

/* region: of the service (phx_region). Returns the index into `slots`. */
PHX_INLINE __u32 phx_slot_index(__u64 region, __u64 hash)
{
	return phx_region_offset(region) + ((__u32)hash & phx_region_mask(region));
}

#endif /* PHALANX_LIB_HASH_H */

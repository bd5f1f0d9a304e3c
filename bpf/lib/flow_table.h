/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flow table: which entry serves a flow, by the flow's hash. A set-associative cache as those of
 * processors: a flow can lie in one set only, in any of its rows; a full set gives away the row that is worth
 * least. A look-up touches two neighbouring cache lines and changes nothing, where the kernel's LRU hash
 * walks chains, moves list nodes and takes locks: that is what makes a SYN to a full table cheap.
 *
 * A row names its flow by 48 bits of the slot hash and the service, not by the tuple: with the bits that
 * chose the set, one flow in 2^40 or fewer is taken for another one, and goes to a backend of the same
 * service.
 *
 * Several CPUs write. Whoever wants a row claims it by one compare-and-swap of its identity, fills it, and
 * gives it its new identity; who reads one looks at the identity before and after.
 */
#ifndef PHALANX_LIB_FLOW_TABLE_H
#define PHALANX_LIB_FLOW_TABLE_H

#include "lib/wire.h"

/* hash: the slot hash (phx_slot_hash). service: index into `services`, below PHX_MAX_SERVICES. Never 0. */
PHX_INLINE __u64 phx_flow_identity(__u32 service, __u64 hash)
{
	return (__u64)(service + 1) << 48 | (hash & 0xffffffffffffull);
}
PHX_ASSERT(PHX_MAX_SERVICES < 0xffffu, "no identity is PHX_FLOW_CLAIMED");

#define PHX_FLOW_WAY_BITS 3
PHX_ASSERT(1u << PHX_FLOW_WAY_BITS == PHX_FLOW_WAYS, "bits that number a set's rows");

/* sets: of the table, a power of two, up to 2^22. */
PHX_INLINE __u32 phx_flow_set_index(__u64 hash, __u32 sets)
{
	return (__u32)(hash >> 42) & (sets - 1);
}

PHX_INLINE __u64 phx_flow_row_identity(const struct phx_flow_row *row)
{
	return *(const volatile __u64 *)&row->identity;
}

/* Whoever fills the row makes sure that it is read whole: see phx_read_flow. */
PHX_INLINE struct phx_flow_owner phx_flow_row_owner(const struct phx_flow_row *row)
{
	union {
		__u64 word;
		struct phx_flow_owner owner;
	} read = {.word = *(const volatile __u64 *)&row->owner};

	return read.owner;
}

/* The row of a flow, or none. It may be given to another flow at any time: phx_read_flow. */
PHX_INLINE struct phx_flow_row *phx_find_flow(struct phx_flow_set *set, __u64 identity)
{
	for (__u32 i = 0; i < PHX_FLOW_WAYS; i++)
		if (phx_flow_row_identity(&set->rows[i]) == identity)
			return &set->rows[i];
	return 0;
}

/* Sets owner, and returns 0 when the row is not the flow's any more. */
PHX_INLINE int phx_read_flow(const struct phx_flow_row *row, __u64 identity, struct phx_flow_owner *owner)
{
	*owner = phx_flow_row_owner(row);
	return phx_flow_row_identity(row) == identity;
}

/*
 * What a row is worth; the lowest gives way: a free one, then one that is closing, or only beginning, which
 * may be a flood's and must not push out flows that are known to be alive; of one kind the one that was seen
 * least lately. 43 bits, or all of them for a row that is claimed.
 */
PHX_INLINE __u64 phx_flow_worth(const struct phx_flow_row *row)
{
	__u64 identity = phx_flow_row_identity(row);
	struct phx_flow_owner owner = phx_flow_row_owner(row);
	__u64 is_alive = !(owner.flags & (PHX_FLOW_CLOSING | PHX_FLOW_BEGINNING));

	if (identity == PHX_FLOW_FREE)
		return 0;
	if (identity == PHX_FLOW_CLAIMED)
		return ~0ull >> PHX_FLOW_WAY_BITS;
	return 1ull << 42 | is_alive << 41 | (__u64)owner.seen_s << 8 | owner.fraction;
}

/*
 * The row that a set gives to a new flow: its worth, and in the lowest PHX_FLOW_WAY_BITS its number, so that
 * one number grows smaller, instead of a choice among eight pointers.
 */
PHX_ONCE __u64 phx_least_flow(const struct phx_flow_set *set)
{
	__u64 least = ~0ull;

	if (!set) /* verifier: it takes nothing for granted here */
		return 0;
	for (__u32 i = 0; i < PHX_FLOW_WAYS; i++) {
		__u64 worth = phx_flow_worth(&set->rows[i]) << PHX_FLOW_WAY_BITS | i;

		if (worth < least)
			least = worth;
	}
	return least;
}

/*
 * The row that phx_least_flow() chose, and whose it is. Returns 0 when another CPU has filled it since: a row
 * that is filled is worth more than before.
 */
PHX_INLINE struct phx_flow_row *phx_least_row(struct phx_flow_set *set, __u64 *before)
{
	__u64 least = phx_least_flow(set);
	__u32 way = (__u32)least;
	struct phx_flow_row *row;

	PHX_FORGET(way); /* of which the verifier does not see the bound that the compiler knows */
	row = &set->rows[way & (PHX_FLOW_WAYS - 1)];
	*before = phx_flow_row_identity(row);
	return phx_flow_worth(row) == least >> PHX_FLOW_WAY_BITS ? row : 0;
}

/*
 * Gives the row to a flow, if it is still that of `before`. Returns 0, with nothing changed, when another CPU
 * was faster. The compare-and-swap and the exchange are full barriers: the owner lies between the two
 * identities.
 */
PHX_INLINE int phx_fill_flow(struct phx_flow_row *row, __u64 before, __u64 identity,
			     struct phx_flow_owner owner)
{
	union {
		struct phx_flow_owner owner;
		__u64 word;
	} store = {.owner = owner};

	if (before == PHX_FLOW_CLAIMED ||
	    __sync_val_compare_and_swap(&row->identity, before, PHX_FLOW_CLAIMED) != before)
		return 0;
	*(volatile __u64 *)&row->owner = store.word;
	__sync_lock_test_and_set(&row->identity, identity);
	return 1;
}

/* Nothing is written where another CPU was first: what it wrote is as new, but for a FIN, whose flow is then
 * forgotten by its idle time-out. */
PHX_INLINE void phx_replace_owner(struct phx_flow_row *row, struct phx_flow_owner before,
				  struct phx_flow_owner after)
{
	union {
		struct phx_flow_owner owner;
		__u64 word;
	} from = {.owner = before}, to = {.owner = after};

	__sync_val_compare_and_swap((__u64 *)&row->owner, from.word, to.word);
}

#endif /* PHALANX_LIB_FLOW_TABLE_H */

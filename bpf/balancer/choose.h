/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which backend entry takes a packet, by its slot. */
#ifndef PHALANX_BALANCER_CHOOSE_H
#define PHALANX_BALANCER_CHOOSE_H

#include "balancer/count.h"

struct choice {
	struct phx_backend *backend;
	__u64 state; /* read once, so that the up bit and the next hop are of one moment */
	__u32 entry;
};

/* An index that names no entry is an entry that is not up. */
static __always_inline int is_up(struct choice *choice, __u16 entry)
{
	__u32 key = entry; /* of its own, so that the choice stays in registers */

	choice->entry = entry;
	choice->backend = bpf_map_lookup_elem(&backends, &key);
	if (!choice->backend)
		return 0;
	choice->state = *(volatile __u64 *)&choice->backend->state;
	return choice->state & PHX_STATE_UP;
}

static __always_inline struct phx_slot read_slot(const struct phx_slot *slot)
{
	union {
		__u64 word;
		struct phx_slot row;
	} read = {.word = *(volatile __u64 *)slot};

	return read.row;
}

static __always_inline int choose(struct choice *choice, struct phx_slot slot)
{
	if (is_up(choice, slot.primary))
		return 1;
	if (!is_up(choice, slot.backup))
		return 0;
	return counted(PHX_COUNTER_BY_BACKUP, 1);
}

/* An entry whose row was freed, or that never had a next hop, cannot be sent to. */
static __always_inline int has_next_hop(const struct choice *choice)
{
	return choice->backend && choice->backend->family != PHX_FAMILY_NONE &&
	       choice->backend->next_hop[!!(choice->state & PHX_STATE_NEXT_HOP)].interface;
}

static __always_inline int choose_last_good(struct choice *choice, __u16 primary)
{
	is_up(choice, primary);
	return has_next_hop(choice) ? counted(PHX_COUNTER_LAST_GOOD, 1) : 0;
}

/* What frames of their own are told of a choice: the entry, with SECOND_ROW if its second next hop is the
 * live one. */
#define SECOND_ROW (1u << 16)

static __always_inline __u32 entry_and_row(const struct choice *choice)
{
	return choice->entry | (choice->state & PHX_STATE_NEXT_HOP ? SECOND_ROW : 0);
}

static __always_inline const struct phx_next_hop *live_hop(const struct phx_backend *backend, int second)
{
	return &backend->next_hop[!!second];
}

#endif /* PHALANX_BALANCER_CHOOSE_H */

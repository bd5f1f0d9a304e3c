/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which backend entry takes a packet of a tracked slot: the flow table has a say. */
#ifndef PHALANX_BALANCER_REMEMBER_H
#define PHALANX_BALANCER_REMEMBER_H

#include "balancer/choose.h"
#include "balancer/clock.h"
#include "lib/flow_table.h"
#include "lib/parse.h"

static __always_inline int is_tracked(const struct phx_service *service, struct phx_slot slot)
{
	__u32 flag = slot.flags & PHX_SLOT_TRACKED;

	if (!(flag | service->track)) /* one branch for nearly all packets */
		return 0;
	return service->track == PHX_TRACK_ALL || (flag && service->track == PHX_TRACK_AUTO);
}
PHX_ASSERT(PHX_TRACK_AUTO == 0, "a slot without flag, in a service without wishes, is all zeros");

/* What the choice for a packet of a tracked slot depends on, besides the flow. */
struct tracked {
	struct phx_slot slot;
	__u32 service; /* index into `services` */
	__u32 now_s;
	__u8 fraction;      /* of that second, in units of 2^22 ns: 0 to 238 */
	__u8 protocol_flag; /* PHX_FLOW_UDP or 0 */
	__u8 tcp_flags;     /* of UDP: 0 */
	__u8 opens;         /* the first packet of a flow, or one that may be, or about such a one */
	__u8 begins;        /* the first packet of a flow: a SYN */
	__u8 on_down;       /* enum phx_on_down */
	__u8 quoted; /* an error about a packet of the flow, which is no sign of its life: nothing is written
		      */
	__u8 reserved; /* 0 */
};

static __always_inline __u8 tcp_flags(struct xdp_md *ctx, const struct phx_packet *packet)
{
	__u32 l4 = packet->l4;
	struct phx_tcp *tcp;

	if (l4 > PHX_MAX_L4)
		return 0;
	tcp = (void *)(long)ctx->data + sizeof(struct phx_ethernet) + l4;
	return (void *)(tcp + 1) <= (void *)(long)ctx->data_end ? tcp->flags : 0;
}

/*
 * Whether the flow stays with the entry that the flow table names. A connection that only begins has nothing
 * to lose by going elsewhere than to an entry that is on its way out.
 */
static __always_inline int stays(struct choice *choice, __u16 entry, const struct tracked *tracked)
{
	if (is_up(choice, entry))
		return !(tracked->begins && choice->state & PHX_STATE_DRAINING);
	return choice->backend && choice->state & PHX_STATE_REACHABLE && !tracked->begins &&
	       tracked->on_down == PHX_ON_DOWN_KEEP;
}

static __always_inline __u8 closing(const struct tracked *tracked)
{
	return tracked->tcp_flags & (PHX_TCP_FIN | PHX_TCP_RST) && !tracked->begins ? PHX_FLOW_CLOSING : 0;
}

/* Control loads the program with the number that the map has. */
const volatile __u32 flow_sets = 2 * PHX_DEFAULT_FLOWS / PHX_FLOW_WAYS;

static __always_inline struct phx_flow_set *flow_set(__u64 hash)
{
	__u32 key = phx_flow_set_index(hash, flow_sets);

	return bpf_map_lookup_elem(&flows, &key);
}

/* Other CPUs may take the very row at the same time, so many in a row hardly. */
#define REMEMBER_TRIES 3

/* row: the flow's; 0: none yet. Where another CPU takes it away, another one is chosen. */
static __always_inline void remember(struct phx_flow_set *set, struct phx_flow_row *row, __u64 identity,
				     __u16 entry, const struct tracked *tracked)
{
	struct phx_flow_owner owner = {
		.entry = entry,
		.flags = closing(tracked) | tracked->protocol_flag | (row ? 0 : PHX_FLOW_BEGINNING),
		.fraction = tracked->fraction,
		.seen_s = tracked->now_s,
	};

	if (tracked->quoted)
		return;
	for (int i = 0; i < REMEMBER_TRIES; i++) {
		__u64 before = identity;

		if (!row)
			row = phx_least_row(set, &before);
		if (row && phx_fill_flow(row, before, identity, owner)) {
			counted(PHX_COUNTER_REMEMBERED, 0);
			return;
		}
		row = 0;
	}
}

/*
 * Written only when it changes, and only over what was read: the row may have been given to another flow
 * since. A new connection of the same addresses and ports ends the closing of the old one.
 */
static __always_inline void refresh(struct phx_flow_row *row, struct phx_flow_owner owner,
				    const struct tracked *tracked)
{
	struct phx_flow_owner now = owner;

	if (tracked->quoted)
		return;
	if (tracked->begins)
		now.flags &= ~PHX_FLOW_CLOSING;
	else
		now.flags = (now.flags & ~PHX_FLOW_BEGINNING) | closing(tracked);
	now.seen_s = tracked->now_s;
	if (now.flags != owner.flags || now.seen_s != owner.seen_s)
		phx_replace_owner(row, owner, now);
}

/* Sets choice. `previous` of a slot that is tracked for the sake of its service alone says nothing of its
 * connections. */
static __always_inline int choose_remembered(struct choice *choice, __u64 hash, const struct tracked *tracked)
{
	__u64 identity = phx_flow_identity(tracked->service, hash);
	struct phx_flow_set *set = flow_set(hash);
	struct phx_flow_owner owner;
	struct phx_flow_row *row;

	if (!set)
		return choose(choice, tracked->slot);
	row = phx_find_flow(set, identity);
	if (row && !phx_read_flow(row, identity, &owner))
		row = 0;
	if (row && stays(choice, owner.entry, tracked)) {
		refresh(row, owner, tracked);
		return counted(PHX_COUNTER_BY_FLOW, 1);
	}
	if (!row && !tracked->opens && tracked->slot.flags & PHX_SLOT_TRACKED &&
	    is_up(choice, tracked->slot.previous)) {
		remember(set, row, identity, choice->entry, tracked);
		return counted(PHX_COUNTER_BY_PREVIOUS, 1);
	}
	if (!choose(choice, tracked->slot))
		return 0;
	if (row || tracked->opens)
		remember(set, row, identity, choice->entry, tracked);
	return 1;
}

/*
 * Chooses for a packet of a tracked slot, in a frame of its own, so that packets of other slots pay nothing.
 * A global function, which the verifier looks at once. Returns the entry, or PHX_NO_ENTRY.
 */
__noinline __u32 phalanx_choose_tracked(__u64 hash, const struct tracked *tracked)
{
	struct choice choice;

	if (!tracked || !choose_remembered(&choice, hash, tracked))
		return PHX_NO_ENTRY;
	return choice.entry;
}

static __always_inline int choose_by_flow(struct xdp_md *ctx, struct choice *choice,
					  const struct phx_packet *packet, __u32 service_index,
					  const struct phx_service *service, struct phx_slot slot, __u64 hash)
{
	__u64 now_ns = bpf_ktime_get_coarse_ns();
	struct tracked tracked = {
		.slot = slot,
		.service = service_index,
		.now_s = now_ns / NS_PER_S,
		.fraction = now_ns % NS_PER_S >> 22,
		.protocol_flag = packet->flow.to.protocol == PHX_PROTOCOL_UDP ? PHX_FLOW_UDP : 0,
		.on_down = service->on_down,
		.opens = packet->flow.to.protocol != PHX_PROTOCOL_TCP,
		.quoted = packet->quoted,
	};

	if (packet->flow.to.protocol == PHX_PROTOCOL_TCP && !packet->quoted) {
		tracked.tcp_flags = tcp_flags(ctx, packet);
		tracked.begins = (tracked.tcp_flags & (PHX_TCP_SYN | PHX_TCP_ACK)) == PHX_TCP_SYN;
		tracked.opens = tracked.begins;
	}
	is_up(choice, (__u16)phalanx_choose_tracked(hash, &tracked));
	return !!choice->backend;
}

#endif /* PHALANX_BALANCER_REMEMBER_H */

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which backend entry takes a packet of a tracked slot: the flow table has a say. */
#ifndef PHALANX_BALANCER_REMEMBER_H
#define PHALANX_BALANCER_REMEMBER_H

#include "balancer/choose.h"
#include "lib/parse.h"

#define NS_PER_S 1000000000ull

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
	__u32 now_s;
	__u8 tcp_flags; /* of UDP: 0 */
	__u8 opens;     /* the first packet of a flow, or one that may be */
	__u8 begins;    /* the first packet of a flow: a SYN */
	__u8 on_down;   /* enum phx_on_down */
};

static __always_inline __u8 tcp_flags(struct xdp_md *ctx, __u8 family)
{
	__u32 ip = family == PHX_FAMILY_IPV4 ? sizeof(struct phx_ipv4) : sizeof(struct phx_ipv6);
	struct phx_tcp *tcp = (void *)(long)ctx->data + sizeof(struct phx_ethernet) + ip;

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

static __always_inline void remember(const struct phx_flow *flow, __u16 entry, const struct tracked *tracked)
{
	struct phx_flow_owner owner = {
		.entry = entry,
		.flags = closing(tracked),
		.seen_s = tracked->now_s,
	};

	if (!bpf_map_update_elem(&flows, flow, &owner, BPF_ANY))
		counted(PHX_COUNTER_REMEMBERED, 0);
}

/*
 * Written only when it changes, and field by field: the table may have given the row to another flow since it
 * was looked up, whose entry must not be overwritten. A new connection of the same addresses and ports ends
 * the closing of the old one.
 */
static __always_inline void refresh(struct phx_flow_owner *owner, const struct tracked *tracked)
{
	__u8 flags = tracked->begins ? 0 : owner->flags | closing(tracked);

	if (owner->seen_s != tracked->now_s)
		owner->seen_s = tracked->now_s;
	if (owner->flags != flags)
		owner->flags = flags;
}

/*
 * Chooses for a packet of a tracked slot, in a frame of its own, so that packets of other slots pay nothing.
 * `previous` of a slot that is tracked for the sake of its service alone says nothing of its connections.
 */
static __noinline int choose_tracked(struct choice *choice, const struct phx_flow *flow,
				     const struct tracked *tracked)
{
	struct phx_flow_owner *owner = bpf_map_lookup_elem(&flows, flow);

	if (owner && stays(choice, owner->entry, tracked)) {
		refresh(owner, tracked);
		return counted(PHX_COUNTER_BY_FLOW, 1);
	}
	if (!owner && !tracked->opens && tracked->slot.flags & PHX_SLOT_TRACKED &&
	    is_up(choice, tracked->slot.previous)) {
		remember(flow, choice->entry, tracked);
		return counted(PHX_COUNTER_BY_PREVIOUS, 1);
	}
	if (!choose(choice, tracked->slot))
		return 0;
	if (owner || tracked->opens)
		remember(flow, choice->entry, tracked);
	return 1;
}

static __always_inline int choose_by_flow(struct xdp_md *ctx, struct choice *choice,
					  const struct phx_flow *flow, const struct phx_service *service,
					  struct phx_slot slot, __u64 now_ns)
{
	struct tracked tracked = {
		.slot = slot,
		.now_s = now_ns / NS_PER_S,
		.on_down = service->on_down,
		.opens = 1,
	};
	struct choice chosen; /* its address leaves this function: that of `choice` must not, or it lived in
				 memory */

	if (flow->to.protocol == PHX_PROTOCOL_TCP) {
		tracked.tcp_flags = tcp_flags(ctx, flow->to.family);
		tracked.begins = (tracked.tcp_flags & (PHX_TCP_SYN | PHX_TCP_ACK)) == PHX_TCP_SYN;
		tracked.opens = tracked.begins;
	}
	if (!choose_tracked(&chosen, flow, &tracked))
		return 0;
	*choice = chosen;
	return 1;
}

#endif /* PHALANX_BALANCER_REMEMBER_H */

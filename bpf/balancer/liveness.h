/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether the daemon lives, as far as the path knows: a timer of its own looks at the daemon's mark, so that
 * packets read a flag and no clock.
 */
#ifndef PHALANX_BALANCER_LIVENESS_H
#define PHALANX_BALANCER_LIVENESS_H

#include "balancer/maps.h"

#define CLOCK_OF_WATCH      1 /* CLOCK_MONOTONIC, whose header libc has */
#define NS_PER_MS           1000000ull
#define PERIODS_UNTIL_STALE (PHX_LIVENESS_GRACE_MS / PHX_LIVENESS_PERIOD_MS)

/* Static, so that the skeleton does not ask for its type. */
static volatile struct phx_liveness liveness SEC(".data.liveness");

static __always_inline int is_stale(void)
{
	return liveness.stale != 0;
}

static int look_at_mark(void *map, __u32 *key, struct phx_watch *row)
{
	__u64 mark = liveness.mark;

	if (mark != row->mark) {
		row->mark = mark;
		row->silent_periods = 0;
		liveness.stale = 0;
	} else if (row->silent_periods < PERIODS_UNTIL_STALE &&
		   ++row->silent_periods == PERIODS_UNTIL_STALE) {
		liveness.stale = 1;
	}
	bpf_timer_start(&row->timer, PHX_LIVENESS_PERIOD_MS * NS_PER_MS, 0);
	return 0;
}

/*
 * Never attached: control runs it once after loading the programs. A timer that an earlier program has
 * started goes on with this one's function. Returns XDP_PASS, or XDP_ABORTED where the kernel refuses.
 */
SEC("xdp")
int phalanx_watch(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct phx_watch *row = bpf_map_lookup_elem(&watch, &key);

	if (!row)
		return XDP_ABORTED;                          /* verifier: it cannot happen */
	bpf_timer_init(&row->timer, &watch, CLOCK_OF_WATCH); /* fails where it was done before */
	if (bpf_timer_set_callback(&row->timer, look_at_mark) ||
	    bpf_timer_start(&row->timer, PHX_LIVENESS_PERIOD_MS * NS_PER_MS, 0))
		return XDP_ABORTED;
	return XDP_PASS;
}

#endif /* PHALANX_BALANCER_LIVENESS_H */

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The clock, as the maps have it. Read where it is needed only: it costs more than a look-up. */
#ifndef PHALANX_BALANCER_CLOCK_H
#define PHALANX_BALANCER_CLOCK_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define NS_PER_S 1000000000ull

/* CLOCK_MONOTONIC, in seconds. */
static __always_inline __u32 now_s(void)
{
	return (__u32)(bpf_ktime_get_coarse_ns() / NS_PER_S);
}

#endif /* PHALANX_BALANCER_CLOCK_H */

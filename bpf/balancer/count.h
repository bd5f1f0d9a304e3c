/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every verdict has a counter; every packet that leaves for a backend is traffic. */
#ifndef PHALANX_BALANCER_COUNT_H
#define PHALANX_BALANCER_COUNT_H

#include "balancer/maps.h"

static __always_inline int counted(enum phx_counter counter, int verdict)
{
	__u32 key = counter;
	__u64 *count = bpf_map_lookup_elem(&counters, &key);

	if (count)
		(*count)++;
	return verdict;
}

static __always_inline void count_traffic(void *map, __u32 key, __u32 bytes)
{
	struct phx_traffic *traffic = bpf_map_lookup_elem(map, &key);

	if (traffic) {
		traffic->packets++;
		traffic->bytes += bytes;
	}
}

#endif /* PHALANX_BALANCER_COUNT_H */

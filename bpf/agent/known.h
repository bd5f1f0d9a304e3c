/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sockets that were found lately are not looked for again at once. */
#ifndef PHALANX_AGENT_KNOWN_H
#define PHALANX_AGENT_KNOWN_H

#include "agent/recognise.h"
#include "lib/known_flow.h"

/* As recognise(), which it asks where it does not remember. */
static __always_inline enum phx_agent_counter recognise_or_remember(struct xdp_md *ctx, __u32 at, __u8 family)
{
	const __u8 *inner = (void *)(long)ctx->data + (at & 0xff);
	__u64 epoch = phx_known_epoch(bpf_jiffies64());
	struct phx_segment segment;
	enum phx_agent_counter done;
	int established = 0;
	__u64 *row = 0;

	if (flow_keys.first[0] &&
	    phx_parse_segment(inner, (void *)(long)ctx->data_end, family, &flow_keys, &segment)) {
		__u32 place = phx_known_place(segment.identity);

		row = bpf_map_lookup_elem(&agent_known, &place);
	}
	if (row && phx_is_known(*(volatile __u64 *)row, segment.identity, epoch)) {
		if (phx_may_be_believed(segment.flags))
			return PHX_AGENT_COUNTER_ACCEPTED_ESTABLISHED;
		*(volatile __u64 *)row = 0;
	}
	done = recognise(ctx, at, family, &established);
	if (row && established && phx_may_be_believed(segment.flags))
		*(volatile __u64 *)row = phx_known_row(segment.identity, epoch);
	return done;
}

#endif /* PHALANX_AGENT_KNOWN_H */

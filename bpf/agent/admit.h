/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which addresses are VIPs, and who may send tunnel packets for them. */
#ifndef PHALANX_AGENT_ADMIT_H
#define PHALANX_AGENT_ADMIT_H

#include "agent/maps.h"

static __always_inline int is_vip(const struct phx_agent_vip *destination)
{
	__u64 first = phx_load64(destination->address), second = phx_load64(destination->address + 8);
	const struct phx_agent_vip_row *row = &shortcuts.vips[phx_agent_vip_index(first, second)];

	if (row->address[0] == first && row->address[1] == second && row->family == destination->family)
		return 1;
	return bpf_map_lookup_elem(&agent_vips, destination) != 0;
}

static __always_inline int may_send(const struct phx_agent_node *source)
{
	__u64 first = phx_load64(source->address), second = phx_load64(source->address + 8);

	for (__u32 i = 0; i < PHX_AGENT_SOURCE_ROWS; i++) {
		const struct phx_agent_source_row *row = &shortcuts.sources[i];

		if (row->family == PHX_FAMILY_NONE)
			break;
		if (row->family == source->family && !((first ^ row->address[0]) & row->mask[0]) &&
		    !((second ^ row->address[1]) & row->mask[1]))
			return 1;
	}
	return bpf_map_lookup_elem(&agent_nodes, source) || bpf_map_lookup_elem(&agent_peers, source);
}

#endif /* PHALANX_AGENT_ADMIT_H */

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a packet of a service to the backend that takes it. */
#ifndef PHALANX_BALANCER_SERVE_H
#define PHALANX_BALANCER_SERVE_H

#include "balancer/fragments.h"
#include "balancer/remember.h"

/*
 * service_index: what the row of `vips` says. chain: of a packet that may be a fragment, else 0. mark: as
 * deliver() has it. Instantiated twice: for the plain packets of the fast path, and for all others.
 */
static __always_inline int serve(struct xdp_md *ctx, const struct phx_packet *packet, __u32 service_index,
				 const struct phx_chain *chain, int mark)
{
	struct phx_service *service = bpf_map_lookup_elem(&services, &service_index);
	__u64 region = service ? *(volatile __u64 *)&service->region : 0;
	struct choice choice;
	struct phx_slot *slot;
	struct phx_slot row;
	__u32 slot_index;
	__u64 hash;
	int found;

	if (!region)
		return counted(PHX_COUNTER_NO_TABLE_DROPPED, XDP_DROP);
	hash = phx_slot_hash(&packet->flow, service->seed);
	slot_index = phx_slot_index(region, hash);
	slot = bpf_map_lookup_elem(&slots, &slot_index);
	if (!slot)
		return counted(PHX_COUNTER_NO_TABLE_DROPPED, XDP_DROP);
	row = read_slot(slot);
	if (!is_tracked(service, row))
		found = choose(&choice, row);
	else
		found = choose_by_flow(ctx, &choice, packet, service_index, service, row, hash);
	if (!found && service->no_backend == PHX_NO_BACKEND_LAST_GOOD)
		found = choose_last_good(&choice, row.primary);
	if (!found && service->no_backend == PHX_NO_BACKEND_REJECT)
		return refuse(ctx, packet, PHX_COUNTER_REJECTED, PHX_COUNTER_NO_BACKEND_DROPPED);
	if (!found)
		return counted(PHX_COUNTER_NO_BACKEND_DROPPED, XDP_DROP);
	found = deliver(ctx, packet, &choice, service_index, hash, mark);
	if (chain && packet->part == PHX_PART_FIRST && found & DELIVERED)
		record(packet, chain, service_index, choice.entry, hash);
	return found;
}

#endif /* PHALANX_BALANCER_SERVE_H */

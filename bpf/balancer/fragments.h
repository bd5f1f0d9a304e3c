/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the first fragment of a datagram went, to a backend or to the node's own kernel, so that the others
 * follow it. Those that come before it, or after its record was pushed out, are dropped: whoever sent the
 * datagram sends it again.
 */
#ifndef PHALANX_BALANCER_FRAGMENTS_H
#define PHALANX_BALANCER_FRAGMENTS_H

#include "balancer/clock.h"
#include "balancer/deliver.h"
#include "lib/parse_rare.h"

static __always_inline void name_datagram(struct phx_datagram *datagram, const struct phx_packet *packet,
					  const struct phx_chain *chain)
{
	for (int i = 0; i < 16; i += 8) {
		phx_store64(datagram->source + i, phx_load64(packet->flow.source + i));
		phx_store64(datagram->destination + i, phx_load64(packet->flow.to.address + i));
	}
	datagram->id = chain->id;
	datagram->protocol = chain->fragments;
	datagram->family = packet->flow.to.family;
	datagram->reserved = 0;
}

/* Who took the first fragment takes the rest, also when a rule of its service and not its state said so. */
static __always_inline int still_takes(const struct choice *choice, const struct phx_service *service)
{
	if (choice->state & PHX_STATE_UP)
		return 1;
	if (service->on_down == PHX_ON_DOWN_KEEP && choice->state & PHX_STATE_REACHABLE)
		return 1;
	return service->no_backend == PHX_NO_BACKEND_LAST_GOOD && has_next_hop(choice);
}

/* In a frame of its own, which is gone before the fragment is sent. Returns 0 if there is none, or an old
 * one. */
static __noinline struct phx_datagram_owner *recorded(const struct phx_packet *packet,
						      const struct phx_chain *chain)
{
	struct phx_datagram_owner *owner;
	struct phx_datagram datagram __attribute__((aligned(8)));

	name_datagram(&datagram, packet, chain);
	owner = bpf_map_lookup_elem(&fragments, &datagram);
	return owner && now_s() - owner->seen_s <= PHX_DATAGRAM_LIFE_S ? owner : 0;
}

/* Sends a later fragment after the first. */
static __always_inline int follow(struct xdp_md *ctx, const struct phx_packet *packet,
				  const struct phx_chain *chain)
{
	struct phx_datagram_owner *owner = recorded(packet, chain);
	struct phx_service *service;
	struct choice choice;
	__u32 service_index;

	if (!owner)
		return counted(PHX_COUNTER_FRAGMENT_EARLY_DROPPED, XDP_DROP);
	service_index = owner->service;
	if (service_index == PHX_NO_SERVICE)
		return counted(PHX_COUNTER_UNMATCHED_PASSED, XDP_PASS);
	service = bpf_map_lookup_elem(&services, &service_index);
	if (!service)
		return counted(PHX_COUNTER_FRAGMENT_ORPHAN_DROPPED, XDP_DROP);
	is_up(&choice, owner->entry);
	if (!choice.backend || !still_takes(&choice, service))
		return counted(PHX_COUNTER_FRAGMENT_ORPHAN_DROPPED, XDP_DROP);
	counted(PHX_COUNTER_BY_RECORD, 0);
	return deliver(ctx, packet, &choice, service_index, (__u64)owner->hash << 32, DELIVERED);
}

/* The first fragment of the datagram went to this entry; to no service's: it was passed. */
static __noinline void record(const struct phx_packet *packet, const struct phx_chain *chain,
			      __u32 service_index, __u32 entry, __u64 hash)
{
	struct phx_datagram datagram __attribute__((aligned(8)));
	struct phx_datagram_owner owner = {
		.service = service_index,
		.entry = (__u16)entry,
		.protocol = packet->flow.to.protocol,
		.seen_s = now_s(),
		.hash = (__u32)(hash >> 32),
	};

	name_datagram(&datagram, packet, chain);
	if (!bpf_map_update_elem(&fragments, &datagram, &owner, BPF_ANY))
		counted(PHX_COUNTER_FRAGMENT_RECORDED, 0);
}

#endif /* PHALANX_BALANCER_FRAGMENTS_H */

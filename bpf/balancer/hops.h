/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which backends get a second chance at a packet: the members of its slot but the chosen one, whose hosts
 * answer. Only gue has room to name them. Pieces of a datagram name none, for all but the first have no ports
 * by which a backend could tell whether it knows them.
 */
#ifndef PHALANX_BALANCER_HOPS_H
#define PHALANX_BALANCER_HOPS_H

#include "balancer/remember.h"
#include "lib/second_chance.h"

/* Entries of PHX_MAX_HOPS hops, the first in the lower half; PHX_NO_ENTRY: none. */
#define NO_HOPS (PHX_NO_ENTRY | (__u32)PHX_NO_ENTRY << 16)

static __always_inline __u32 first_hop(__u32 hops)
{
	return hops & 0xffff;
}

static __always_inline __u32 second_hop(__u32 hops)
{
	return hops >> 16;
}

/* Who may own a connection that goes on, and who may take one that begins. */
static __always_inline int may_take(__u32 entry, __u32 begins)
{
	struct phx_backend *backend = bpf_map_lookup_elem(&backends, &entry);
	__u64 word = backend ? *(volatile __u64 *)&backend->state : 0;

	if (!backend || backend->family == PHX_FAMILY_NONE)
		return 0;
	if (begins)
		return (word & (PHX_STATE_UP | PHX_STATE_DRAINING)) == PHX_STATE_UP;
	return !!(word & PHX_STATE_REACHABLE);
}

static __always_inline __u32 add_hop(__u32 hops, __u32 chosen, __u32 entry, __u32 begins)
{
	if (entry == chosen || entry == first_hop(hops) || second_hop(hops) != PHX_NO_ENTRY ||
	    !may_take(entry, begins))
		return hops;
	if (first_hop(hops) == PHX_NO_ENTRY)
		return PHX_NO_ENTRY << 16 | entry;
	return entry << 16 | first_hop(hops);
}

/*
 * slot: as read at once. A connection that begins is best off with the backup, whom the next node may choose;
 * the owner of one that goes on is most likely the primary, then who was it before.
 */
static __always_inline __u32 choose_hops(__u64 slot, __u32 chosen, __u32 begins)
{
	__u32 primary = slot & 0xffff, backup = slot >> 16 & 0xffff, previous = slot >> 32 & 0xffff;
	__u32 hops = NO_HOPS;

	hops = add_hop(hops, chosen, begins ? backup : primary, begins);
	hops = add_hop(hops, chosen, previous, begins);
	return add_hop(hops, chosen, begins ? primary : backup, begins);
}
PHX_ASSERT(PHX_OFFSET(struct phx_slot, backup) == 2 && PHX_OFFSET(struct phx_slot, previous) == 4,
	   "a slot as one word");

/* The slot once more: kept from its first look-up, it would cost every packet room on the stack. */
static __always_inline __u64 slot_of(__u32 service_index, __u64 hash)
{
	struct phx_service *service = bpf_map_lookup_elem(&services, &service_index);
	__u32 index = service ? phx_slot_index(*(volatile __u64 *)&service->region, hash) : ~0u;
	struct phx_slot *slot = bpf_map_lookup_elem(&slots, &index);

	return slot ? *(volatile __u64 *)slot : ~0ull;
}

static __always_inline __u32 hops_of(struct xdp_md *ctx, const struct phx_packet *packet, __u32 entry,
				     __u32 service_index, __u64 hash)
{
	__u8 flags = 0;

	if (packet->part != PHX_PART_WHOLE)
		return NO_HOPS;
	if (packet->flow.to.protocol == PHX_PROTOCOL_TCP && !packet->quoted)
		flags = tcp_flags(ctx, packet);
	return choose_hops(slot_of(service_index, hash), entry,
			   (flags & (PHX_TCP_SYN | PHX_TCP_ACK)) == PHX_TCP_SYN);
}

static __always_inline struct phx_backend *hop_at(__u32 entry)
{
	return bpf_map_lookup_elem(&backends, &entry);
}

/* Bytes that they take in a packet. */
static __always_inline __u32 hops_size(__u32 hops)
{
	struct phx_backend *first = hop_at(first_hop(hops));
	struct phx_backend *second = hop_at(second_hop(hops));

	if (!first)
		return 0;
	return phx_hops_size(phx_hops_version_of(first->family, second ? second->family : PHX_FAMILY_NONE),
			     second ? 2 : 1);
}

/* Writes them at `at`, hops_size() bytes. Returns 0 when there is no room. */
static __always_inline int write_hops(struct xdp_md *ctx, __u8 *at, __u32 hops)
{
	struct phx_backend *first = hop_at(first_hop(hops));
	struct phx_backend *second = hop_at(second_hop(hops));

	if (!first)
		return 0;
	if (!second) /* apart: of `second`, where it is none, the compiler would load the family */
		return phx_write_hops(at, (void *)(long)ctx->data_end, first->family, first->address,
				      PHX_FAMILY_NONE, 0);
	return phx_write_hops(at, (void *)(long)ctx->data_end, first->family, first->address, second->family,
			      second->address);
}

#endif /* PHALANX_BALANCER_HOPS_H */

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* VLAN tags, off and on. What is between the MAC addresses and the EtherType moves; nothing else does. */
#ifndef PHALANX_BALANCER_VLAN_H
#define PHALANX_BALANCER_VLAN_H

#include "balancer/maps.h"
#include "lib/parse_rare.h"

#define TAG_SIZE ((__u32)sizeof(struct phx_vlan_tag))

PHX_ASSERT(sizeof(struct phx_ethernet) == 8 + 4 + sizeof(__u16), "MAC addresses are moved as 8 and 4 bytes");

/* Moves the MAC addresses by so many bytes, and the frame's beginning with them. */
static __always_inline int move_macs(struct xdp_md *ctx, int bytes)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	__u64 first;
	__u32 second;

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return 0;
	first = phx_load64(ethernet->destination);
	second = phx_load32(ethernet->source + 2);
	if (bpf_xdp_adjust_head(ctx, bytes))
		return 0;
	ethernet = (void *)(long)ctx->data;
	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return 0;
	phx_store64(ethernet->destination, first);
	phx_store32(ethernet->source + 2, second);
	return 1;
}

static __always_inline int take_off_tags(struct xdp_md *ctx, const struct phx_tags *tags)
{
	return move_macs(ctx, (int)(tags->count * TAG_SIZE));
}

/* Writes the tags behind the MAC addresses. Returns 0 when there is no room. */
static __always_inline int put_on_tags(struct xdp_md *ctx, const struct phx_tags *tags)
{
	__u8 *at;

	if (!move_macs(ctx, -(int)(tags->count * TAG_SIZE)))
		return 0;
	at = (void *)(long)ctx->data + sizeof(struct phx_ethernet) - sizeof(__u16);
	if ((void *)(at + PHX_VLAN_DEPTH * TAG_SIZE) > (void *)(long)ctx->data_end)
		return 0;
	phx_store32(at, tags->words[0]);
	if (tags->count > 1)
		phx_store32(at + TAG_SIZE, tags->words[1]);
	return 1;
}

/* The next hop's tag, of priority 0: in a frame of its own, as most next hops have none. */
static __noinline int put_on_tag(struct xdp_md *ctx, __u16 id)
{
	struct phx_tags tags = {
		.words = {PHX_SWAP16(PHX_ETHERTYPE_VLAN) | (__u32)PHX_SWAP16(id) << 16},
		.count = 1,
	};

	return put_on_tags(ctx, &tags);
}

#endif /* PHALANX_BALANCER_VLAN_H */

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the choice of a backend to the frame that leaves: what a router does to a packet, and the forwarding.
 */
#ifndef PHALANX_BALANCER_DELIVER_H
#define PHALANX_BALANCER_DELIVER_H

#include "balancer/answer.h"
#include "balancer/forward.h"
#include "balancer/vlan.h"
#include "lib/ttl.h"

/* Set beside the verdict for those who must tell a packet that went to a backend from an answer. */
#define DELIVERED 0x100

/*
 * mark: added to the verdict of a packet that leaves for its backend. The TTL is judged before the size, as
 * routers do; the packet is changed when both are good.
 */
static __always_inline int deliver(struct xdp_md *ctx, const struct phx_packet *packet,
				   const struct choice *choice, __u32 service_index, __u64 hash, int mark)
{
	const struct phx_next_hop *hop = &choice->backend->next_hop[!!(choice->state & PHX_STATE_NEXT_HOP)];
	struct phx_ipv4 *ipv4 = (void *)(long)ctx->data + sizeof(struct phx_ethernet);
	struct phx_ipv6 *ipv6 = (void *)ipv4;
	int is_ipv4 = packet->flow.to.family == PHX_FAMILY_IPV4;

	if ((void *)(ipv4 + 1) > (void *)(long)ctx->data_end)
		return counted(PHX_COUNTER_NO_HEADROOM_DROPPED, XDP_DROP); /* verifier: it cannot happen */
	if ((is_ipv4 ? ipv4->ttl : ipv6->hop_limit) <= 1)
		return expire(ctx, packet);
	if (packet->length + PHX_OUTER_MOST > hop->mtu && hop->mtu) { /* rare: no need to know the mode */
		int room = hop->mtu - phalanx_outer_size(ctx, packet, choice->entry, service_index, hash);

		if (packet->length > room)
			return turn_back(ctx, packet, room);
	}
	if (is_ipv4)
		phx_age_ipv4(ipv4);
	else
		ipv6->hop_limit--;
	if (!forward(ctx, packet, choice, service_index, hash) || (hop->vlan && !put_on_tag(ctx, hop->vlan)))
		return counted(PHX_COUNTER_NO_HEADROOM_DROPPED, XDP_DROP);
	count_traffic(&service_traffic, service_index, packet->length);
	count_traffic(&backend_traffic, choice->entry, packet->length);
	return send(ctx, choice) | mark;
}

#endif /* PHALANX_BALANCER_DELIVER_H */

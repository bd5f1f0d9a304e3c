/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Takes a packet to the backend that was chosen. */
#ifndef PHALANX_BALANCER_FORWARD_H
#define PHALANX_BALANCER_FORWARD_H

#include "balancer/choose.h"
#include "lib/encapsulate.h"

/* Makes the packet the backend's. Returns 0 when there is no room for the outer header. */
static __always_inline int forward(struct xdp_md *ctx, const struct phx_packet *packet,
				   const struct choice *choice, __u64 hash)
{
	const struct phx_backend *backend = choice->backend;
	const struct phx_next_hop *hop = &backend->next_hop[!!(choice->state & PHX_STATE_NEXT_HOP)];
	struct phx_ethernet *ethernet;
	int outer = 0;
	void *end;

	if (backend->forward == PHX_FORWARD_IPIP)
		outer = backend->family == PHX_FAMILY_IPV4 ? sizeof(struct phx_ipv4)
							   : sizeof(struct phx_ipv6);
	if (outer && bpf_xdp_adjust_head(ctx, -outer))
		return 0;
	ethernet = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;

	if (outer == sizeof(struct phx_ipv4)) {
		struct phx_ipv4 *ip = (void *)(ethernet + 1);

		if ((void *)(ip + 1) > end)
			return 0;
		ethernet->type = PHX_SWAP16(PHX_ETHERTYPE_IPV4);
		phx_write_outer_ipv4(ip, packet, backend, hop);
	} else if (outer) {
		struct phx_ipv6 *ip = (void *)(ethernet + 1);

		if ((void *)(ip + 1) > end)
			return 0;
		ethernet->type = PHX_SWAP16(PHX_ETHERTYPE_IPV6);
		phx_write_outer_ipv6(ip, packet, backend, hop, hash);
	} else if ((void *)(ethernet + 1) > end) {
		return 0;
	}
	phx_write_macs(ethernet, hop);
	return 1;
}

static __always_inline int send(struct xdp_md *ctx, const struct choice *choice)
{
	__u32 interface = choice->backend->next_hop[!!(choice->state & PHX_STATE_NEXT_HOP)].interface;

	if (interface == ctx->ingress_ifindex)
		return counted(PHX_COUNTER_SENT, XDP_TX);
	return counted(PHX_COUNTER_REDIRECTED, bpf_redirect(interface, 0));
}

#endif /* PHALANX_BALANCER_FORWARD_H */

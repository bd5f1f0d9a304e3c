/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stateless destination NAT: a backend's address and port take the VIP's place, and on the way back the VIP's
 * that of the backend. */
#ifndef PHALANX_BALANCER_NAT_H
#define PHALANX_BALANCER_NAT_H

#include "balancer/choose.h"
#include "lib/encapsulate.h"
#include "lib/nat.h"

/* address: 16 bytes, of the packet's family. Returns 0 for a packet that does not lie in the frame. */
static __always_inline int translate(struct xdp_md *ctx, const struct phx_packet *packet, enum phx_end which,
				     const __u8 *address, __u16 port)
{
	void *ip = (void *)(long)ctx->data + sizeof(struct phx_ethernet);
	void *end = (void *)(long)ctx->data_end;

	if (packet->flow.to.family == PHX_FAMILY_IPV4)
		return phx_nat_ipv4(ip, end, packet, which, phx_load32(address), port);
	return phx_nat_ipv6(ip, end, packet, which, address, port);
}

/*
 * Makes the packet, or the ICMP error about its flow, the backend's. A backend of another family than the
 * VIP's is a broken row: nothing is sent to it.
 */
static __noinline int translate_to(struct xdp_md *ctx, const struct phx_packet *packet,
				   const struct phx_backend *backend, const struct phx_next_hop *hop)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end || backend->family != packet->flow.to.family)
		return 0;
	phx_write_macs(ethernet, hop);
	return translate(ctx, packet, PHX_END_DESTINATION, backend->address, backend->port);
}

#endif /* PHALANX_BALANCER_NAT_H */

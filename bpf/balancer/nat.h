/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stateless destination NAT: a backend's address and port take the VIP's place, and on the way back the VIP's
 * that of the backend. */
#ifndef PHALANX_BALANCER_NAT_H
#define PHALANX_BALANCER_NAT_H

#include "balancer/choose.h"
#include "lib/encapsulate.h"
#include "lib/nat.h"

/* Of a backend and of a VIP, as both kinds of rows have it. */
struct place {
	__u8 address[16];
	__u16 port; /* be */
};
#define PLACE_OF_BACKEND(row) ((const struct place *)(row)->address)
#define PLACE_OF_VIP(row)     ((const struct place *)(row)->vip)
PHX_ASSERT(PHX_OFFSET(struct phx_backend, port) - PHX_OFFSET(struct phx_backend, address) ==
		   PHX_OFFSET(struct place, port),
	   "an entry's address and port stand together");
PHX_ASSERT(PHX_OFFSET(struct phx_nat_source, port) - PHX_OFFSET(struct phx_nat_source, vip) ==
		   PHX_OFFSET(struct place, port),
	   "a VIP and its port stand together");

/*
 * which: enum phx_end, whose place is taken by another of the packet's family. Returns 0 for a packet that
 * does not lie in the frame. A global function, which the verifier looks at once, whoever calls it.
 */
__noinline int phalanx_translate(struct xdp_md *ctx, const struct phx_packet *packet,
				 const struct place *place, __u32 which)
{
	void *ip = (void *)(long)ctx->data + sizeof(struct phx_ethernet);
	void *end = (void *)(long)ctx->data_end;

	if (!packet || !place)
		return 0;
	if (packet->flow.to.family == PHX_FAMILY_IPV4)
		return phx_nat_ipv4(ip, end, packet, which, phx_load32(place->address), place->port);
	return phx_nat_ipv6(ip, end, packet, which, place->address, place->port);
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
	return phalanx_translate(ctx, packet, PLACE_OF_BACKEND(backend), PHX_END_DESTINATION);
}

#endif /* PHALANX_BALANCER_NAT_H */

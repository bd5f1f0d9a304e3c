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

#endif /* PHALANX_BALANCER_NAT_H */

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Takes a packet to the backend that was chosen. */
#ifndef PHALANX_BALANCER_FORWARD_H
#define PHALANX_BALANCER_FORWARD_H

#include "balancer/hops.h"
#include "balancer/liveness.h"
#include "balancer/nat.h"
#include "balancer/reroute.h"

/*
 * The outer IP header, with `headers` bytes behind it for others. spread: how many low bits of the outer
 * source the flow's hash fills in. Returns the first byte behind the outer IP header, or 0 when there is no
 * room.
 */
static __always_inline void *encapsulate_ipv4(struct xdp_md *ctx, const struct phx_packet *packet,
					      const struct phx_backend *backend,
					      const struct phx_next_hop *hop, __u64 hash, __u32 headers,
					      __u32 spread)
{
	struct phx_ethernet *ethernet;
	struct phx_ipv4 *ip;

	if (bpf_xdp_adjust_head(ctx, -(int)(sizeof(*ip) + headers)))
		return 0;
	ethernet = (void *)(long)ctx->data;
	ip = (void *)(ethernet + 1);
	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return 0;
	ethernet->type = PHX_SWAP16(PHX_ETHERTYPE_IPV4);
	phx_write_macs(ethernet, hop);
	phx_write_outer_ipv4(ip, packet->traffic_class, packet->length + headers,
			     headers ? PHX_PROTOCOL_UDP : phx_inner_protocol(packet),
			     spread ? phx_spread_ipv4(hop, spread, hash) : phx_load32(hop->tunnel_source),
			     phx_load32(backend->address));
	return ip + 1;
}

/* The same over IPv6. */
static __always_inline void *encapsulate_ipv6(struct xdp_md *ctx, const struct phx_packet *packet,
					      const struct phx_backend *backend,
					      const struct phx_next_hop *hop, __u64 hash, __u32 headers,
					      __u32 spread)
{
	struct phx_ethernet *ethernet;
	struct phx_ipv6 *ip;

	if (bpf_xdp_adjust_head(ctx, -(int)(sizeof(*ip) + headers)))
		return 0;
	ethernet = (void *)(long)ctx->data;
	ip = (void *)(ethernet + 1);
	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return 0;
	ethernet->type = PHX_SWAP16(PHX_ETHERTYPE_IPV6);
	phx_write_macs(ethernet, hop);
	phx_write_outer_ipv6(ip, packet->traffic_class, packet->length + headers,
			     headers ? PHX_PROTOCOL_UDP : phx_inner_protocol(packet), hash);
	phx_write_outer_addresses(
		ip, phx_load64(hop->tunnel_source),
		spread ? phx_spread_ipv6(hop, spread, hash) : phx_load64(hop->tunnel_source + 8), backend);
	return ip + 1;
}

/*
 * gue, and ipip from a source that is spread, in a frame of their own: a global function, which the verifier
 * looks at once. entry: with SECOND_ROW if its second next hop is the live one. Returns 0 when there is no
 * room.
 */
__noinline int phalanx_tunnel(struct xdp_md *ctx, const struct phx_packet *packet, __u32 entry,
			      __u32 service_index, __u64 hash)
{
	const struct phx_backend *backend = hop_at(entry & 0xffff);
	const struct phx_next_hop *hop;
	__u32 headers = 0, hops = NO_HOPS, size = 0;
	struct phx_gue_headers *gue;

	if (!backend || !packet)
		return 0; /* verifier: it cannot happen */
	hop = live_hop(backend, entry & SECOND_ROW);
	if (backend->forward == PHX_FORWARD_GUE) {
		hops = hops_of(ctx, packet, entry & 0xffff, service_index, hash);
		size = hops_size(hops);
		headers = sizeof(struct phx_gue_headers) + size;
	}
	if (backend->family == PHX_FAMILY_IPV4)
		gue = encapsulate_ipv4(ctx, packet, backend, hop, hash, headers, backend->source_bits);
	else
		gue = encapsulate_ipv6(ctx, packet, backend, hop, hash, headers, backend->source_bits);
	if (!gue || !headers)
		return !!gue;
	if ((void *)(gue + 1) > (void *)(long)ctx->data_end)
		return 0;
	phx_write_gue(gue, packet, backend->tunnel_port, hash, size);
	return !size || write_hops(ctx, (__u8 *)(gue + 1), hops);
}

static __always_inline int relay(struct xdp_md *ctx, const struct phx_next_hop *hop)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return 0;
	phx_write_macs(ethernet, hop);
	return 1;
}

/*
 * The packet, or the ICMP error about its flow. A backend of another family than the VIP's is a broken row:
 * nothing is sent to it.
 */
static __always_inline int translate_to(struct xdp_md *ctx, const struct phx_packet *packet,
					const struct phx_backend *backend)
{
	return backend->family == packet->flow.to.family &&
	       phalanx_translate(ctx, packet, PLACE_OF_BACKEND(backend), PHX_END_DESTINATION);
}

/* Makes the packet the backend's. Returns 0 when there is no room for the outer headers. */
static __always_inline int forward(struct xdp_md *ctx, const struct phx_packet *packet,
				   const struct choice *choice, __u32 service_index, __u64 hash)
{
	const struct phx_backend *backend = choice->backend;
	const struct phx_next_hop *hop = &backend->next_hop[!!(choice->state & PHX_STATE_NEXT_HOP)];

	if (backend->forward == PHX_FORWARD_IPIP && !backend->source_bits) {
		if (backend->family == PHX_FAMILY_IPV4)
			return !!encapsulate_ipv4(ctx, packet, backend, hop, hash, 0, 0);
		return !!encapsulate_ipv6(ctx, packet, backend, hop, hash, 0, 0);
	}
	if (backend->forward == PHX_FORWARD_L2)
		return relay(ctx, hop);
	if (backend->forward == PHX_FORWARD_NAT)
		return translate_to(ctx, packet, backend) && relay(ctx, hop);
	return phalanx_tunnel(ctx, packet, entry_and_row(choice), service_index, hash);
}

/* Bytes that forwarding to the entry puts before the packet, in a frame of its own: packets hardly come near.
 */
__noinline int phalanx_outer_size(struct xdp_md *ctx, const struct phx_packet *packet, __u32 entry,
				  __u32 service_index, __u64 hash)
{
	const struct phx_backend *backend = hop_at(entry);

	if (!backend || !packet)
		return 0; /* verifier: it cannot happen */
	if (backend->forward != PHX_FORWARD_GUE)
		return (int)phx_outer_size(backend);
	return (int)(phx_outer_size(backend) + hops_size(hops_of(ctx, packet, entry, service_index, hash)));
}

/* In the place of a verdict: for the agent on this very host. */
#define KEPT 0x200

static __always_inline int send(struct xdp_md *ctx, const struct choice *choice)
{
	__u32 interface = choice->backend->next_hop[!!(choice->state & PHX_STATE_NEXT_HOP)].interface;

	if (with_agent && interface == PHX_LOOPBACK)
		return counted(PHX_COUNTER_KEPT, KEPT);
	if (is_stale())
		return phalanx_reroute(ctx, entry_and_row(choice));
	if (interface == ctx->ingress_ifindex)
		return counted(PHX_COUNTER_SENT, XDP_TX);
	return counted(PHX_COUNTER_REDIRECTED, bpf_redirect(interface, 0));
}

#endif /* PHALANX_BALANCER_FORWARD_H */

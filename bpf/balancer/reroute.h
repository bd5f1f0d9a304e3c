/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where packets to a backend leave while the daemon's liveness is stale: as the kernel's FIB says. */
#ifndef PHALANX_BALANCER_REROUTE_H
#define PHALANX_BALANCER_REROUTE_H

#include "balancer/count.h"
#include "balancer/hops.h"
#include "lib/encapsulate.h"

/* As the kernel's socket headers have them, which cannot be included here. */
#define KERNEL_FAMILY_IPV4 2
#define KERNEL_FAMILY_IPV6 10

/* How the kernel would route to the backend. Returns BPF_FIB_LKUP_RET_*, or an error below 0. */
static __always_inline long ask_fib(struct xdp_md *ctx, const struct phx_backend *backend,
				    struct bpf_fib_lookup *way)
{
	way->ifindex = ctx->ingress_ifindex;
	if (backend->family == PHX_FAMILY_IPV4) {
		way->family = KERNEL_FAMILY_IPV4;
		way->ipv4_dst = phx_load32(backend->address);
	} else {
		way->family = KERNEL_FAMILY_IPV6;
		phx_store64(way->ipv6_dst, phx_load64(backend->address));
		phx_store64(way->ipv6_dst + 2, phx_load64(backend->address + 8));
	}
	return bpf_fib_lookup(ctx, way, sizeof(*way), 0);
}

/* The kernel leaves the neighbour's address in place of the backend's: they differ behind a gateway. */
static __always_inline int is_on_link(const struct phx_backend *backend, const struct bpf_fib_lookup *way)
{
	if (backend->family == PHX_FAMILY_IPV4)
		return way->family == KERNEL_FAMILY_IPV4 && way->ipv4_dst == phx_load32(backend->address);
	return phx_load64(way->ipv6_dst) == phx_load64(backend->address) &&
	       phx_load64(way->ipv6_dst + 2) == phx_load64(backend->address + 8);
}

/* Another interface than the stored next hop's must be known to take redirected frames. Returns 0 where it
 * isn't. */
static __always_inline int leave_by(struct xdp_md *ctx, __u32 interface, const struct phx_next_hop *stored)
{
	if (interface == ctx->ingress_ifindex)
		return XDP_TX;
	if (interface == stored->interface)
		return (int)bpf_redirect(interface, 0);
	return (int)bpf_redirect_map(&interfaces, interface, 0);
}

static __always_inline int take_way(struct xdp_md *ctx, const struct phx_backend *backend,
				    const struct phx_next_hop *stored)
{
	struct bpf_fib_lookup way = {};
	struct phx_ethernet *ethernet;
	int verdict;

	if (stored->vlan || ask_fib(ctx, backend, &way) != BPF_FIB_LKUP_RET_SUCCESS)
		return 0;
	if (backend->forward == PHX_FORWARD_L2 && !is_on_link(backend, &way))
		return 0;
	ethernet = (void *)(long)ctx->data;
	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return 0; /* verifier: it cannot happen */
	verdict = leave_by(ctx, way.ifindex, stored);
	if (!verdict)
		return 0;
	__builtin_memcpy(ethernet->destination, way.dmac, sizeof(way.dmac));
	__builtin_memcpy(ethernet->source, way.smac, sizeof(way.smac));
	counted(PHX_COUNTER_BY_FIB, 0);
	return verdict;
}

/*
 * The frame is as it leaves by the stored next hop, which is what it does where the kernel names no other. In
 * a frame of its own, as nothing is rarer. entry: as phalanx_tunnel() has it. Returns the verdict.
 */
__noinline int phalanx_reroute(struct xdp_md *ctx, __u32 entry)
{
	const struct phx_backend *backend = hop_at(entry & 0xffff);
	const struct phx_next_hop *stored;
	int verdict;

	if (!backend)
		return XDP_DROP; /* verifier: it cannot happen */
	stored = live_hop(backend, entry & SECOND_ROW);
	verdict = take_way(ctx, backend, stored);
	if (!verdict)
		verdict = stored->interface == ctx->ingress_ifindex ? XDP_TX
								    : (int)bpf_redirect(stored->interface, 0);
	return counted(verdict == XDP_TX ? PHX_COUNTER_SENT : PHX_COUNTER_REDIRECTED, verdict);
}

#endif /* PHALANX_BALANCER_REROUTE_H */

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The packet path: spreads the packets of services over their backends. phalanx.h says what every map means.
 * Needs nothing but the kernel: whoever filled the maps may be gone.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "balancer/rare.h"
#include "balancer/serve.h"

#define PHX_MACS_ROWS 1024

/* Most services are found here; PHX_NO_SERVICE: `vips` knows. */
static __always_inline __u32 cached_service(const struct phx_vip_key *to)
{
	__u32 place = phx_vip_cache_index(to);
	struct phx_vip_cache_row *row = bpf_map_lookup_elem(&vip_cache, &place);
	__u64 found;

	if (!row)
		return PHX_NO_SERVICE; /* verifier: it cannot happen */
	found = *(volatile __u64 *)&row->key.port;
	if ((__u32)found != phx_load32(&to->port) ||
	    phx_load64(row->key.address) != phx_load64(to->address) ||
	    phx_load64(row->key.address + 8) != phx_load64(to->address + 8))
		return PHX_NO_SERVICE;
	return found >> 32;
}

/* Returns PHX_NO_SERVICE where none is at that address and port. */
static __always_inline __u32 service_at(const struct phx_vip_key *to)
{
	struct phx_vip *vip = bpf_map_lookup_elem(&vips, to);

	return vip ? vip->service : PHX_NO_SERVICE;
}

static __always_inline int balance(struct xdp_md *ctx)
{
	struct phx_packet packet;
	__u32 service;

	if (!phx_parse_plain((void *)(long)ctx->data, (void *)(long)ctx->data_end, &packet))
		return phalanx_any(ctx);
	service = cached_service(&packet.flow.to);
	if (service == PHX_NO_SERVICE) {
		if (!may_be_known(packet.flow.to.address))
			return with_nat && may_be_known(packet.flow.source) ? phalanx_return(ctx, 0)
									    : XDP_PASS;
		service = service_at(&packet.flow.to);
	}
	if (service == PHX_NO_SERVICE)
		return phalanx_any(ctx);
	return serve(ctx, &packet, service, 0, 0);
}

/*
 * On a host that is a backend too: what stays here is addressed, as it came, to the interface that it came in
 * by. Kept beside the stack, of which the longest chain of frames leaves nothing: a row a processor, for
 * nothing interrupts a packet there. More processors than rows share them, which does no harm where the
 * interfaces' addresses are the same.
 */
static struct {
	__u64 first; /* 8 bytes of the frame, and the next 4 */
	__u32 rest;
	__u32 reserved;
} macs_of[PHX_MACS_ROWS];

static __always_inline void keep_macs(struct xdp_md *ctx)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	__u32 row = bpf_get_smp_processor_id() & (PHX_MACS_ROWS - 1);

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return;
	macs_of[row].first = phx_load64(ethernet->destination);
	macs_of[row].rest = phx_load32(ethernet->source + 2);
}

static __always_inline void put_macs_back(struct xdp_md *ctx)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	__u32 row = bpf_get_smp_processor_id() & (PHX_MACS_ROWS - 1);

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return;
	phx_store64(ethernet->destination, macs_of[row].first);
	phx_store32(ethernet->source + 2, macs_of[row].rest);
}

SEC("xdp")
int phalanx_xdp(struct xdp_md *ctx)
{
	int verdict;

	if (with_agent)
		keep_macs(ctx);
	verdict = balance(ctx);
	if (!with_agent || (verdict != KEPT && verdict != XDP_PASS))
		return verdict;
	if (verdict == KEPT)
		put_macs_back(ctx);
	bpf_tail_call(ctx, &local_agent, 0);          /* what comes in a tunnel is the agent's, too */
	return verdict == KEPT ? XDP_DROP : XDP_PASS; /* there is none: it was taken out just now */
}

char _license[] SEC("license") = "Dual BSD/GPL";

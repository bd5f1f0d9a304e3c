// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The packet path: spreads the packets of services over their backends. phalanx.h says what every map means.
 * Needs nothing but the kernel: whoever filled the maps may be gone.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "balancer/answer.h"
#include "balancer/choose.h"
#include "balancer/forward.h"
#include "balancer/remember.h"

/* A look-up in `vips` calls into the kernel three times; most foreign packets are spared it by one load. */
static __always_inline int may_be_vip(const struct phx_flow *flow)
{
	__u32 key = 0;
	struct phx_vip_filter *filter = bpf_map_lookup_elem(&vip_filter, &key);
	__u32 bit = phx_vip_filter_bit(phx_load64(flow->to.address), phx_load64(flow->to.address + 8));

	return filter && filter->words[bit / 64] >> bit % 64 & 1;
}

#define SAME_ORDER(kind, counter)                                                                            \
	PHX_ASSERT(PHX_KIND_##kind - PHX_KIND_FLOW == PHX_COUNTER_##counter - PHX_COUNTER_UNMATCHED_PASSED,  \
		   "kinds follow the order of their counters")
SAME_ORDER(PROTOCOL, PROTOCOL_PASSED);
SAME_ORDER(FRAGMENT, FRAGMENT_PASSED);
SAME_ORDER(OPTIONS, OPTIONS_PASSED);
SAME_ORDER(EXTENSION, EXTENSION_PASSED);
SAME_ORDER(VLAN, VLAN_PASSED);
SAME_ORDER(MALFORMED, MALFORMED_PASSED);

/*
 * What no service takes. If it is for a VIP nevertheless, echo is answered, the rest is counted and left to
 * the node's kernel. Parses anew, in a frame of its own: to carry the kind and the packet over from the path
 * would cost every packet of a service registers and stores.
 */
static __noinline int unserved(struct xdp_md *ctx)
{
	struct phx_packet packet;
	enum phx_kind kind = phx_parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &packet);
	__u8 family;

	if (kind == PHX_KIND_FOREIGN || !may_be_vip(&packet.flow))
		return XDP_PASS;
	family = packet.flow.to.family;
	phx_store64(&packet.flow.to.port, phx_flow_tail(0, 0, family));
	if (!bpf_map_lookup_elem(&vips, &packet.flow.to))
		return XDP_PASS;
	if (kind == PHX_KIND_ECHO) {
		if (echo(ctx, family))
			return counted(PHX_COUNTER_ECHO_ANSWERED, XDP_TX);
		kind = PHX_KIND_PROTOCOL;
	}
	return counted(PHX_COUNTER_UNMATCHED_PASSED + (kind - PHX_KIND_FLOW), XDP_PASS);
}

SEC("xdp")
int phalanx_xdp(struct xdp_md *ctx)
{
	struct phx_packet packet;

	if (phx_parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &packet) != PHX_KIND_FLOW)
		return unserved(ctx);
	if (!may_be_vip(&packet.flow))
		return XDP_PASS;

	struct phx_vip *vip = bpf_map_lookup_elem(&vips, &packet.flow.to);

	if (!vip)
		return unserved(ctx);

	__u32 service_index = vip->service;
	struct phx_service *service = bpf_map_lookup_elem(&services, &service_index);
	__u64 region = service ? *(volatile __u64 *)&service->region : 0;

	if (!region)
		return counted(PHX_COUNTER_NO_TABLE_DROPPED, XDP_DROP);

	__u64 hash = phx_slot_hash(&packet.flow, service->seed);
	__u32 slot_index = phx_slot_index(region, hash);
	struct phx_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);
	struct choice choice;
	struct phx_slot row;
	int found;

	if (!slot)
		return counted(PHX_COUNTER_NO_TABLE_DROPPED, XDP_DROP);
	row = read_slot(slot);
	if (!is_tracked(service, row))
		found = choose(&choice, row);
	else
		found = choose_by_flow(ctx, &choice, &packet.flow, service_index, service, row, hash);
	if (!found && service->no_backend == PHX_NO_BACKEND_LAST_GOOD)
		found = choose_last_good(&choice, row.primary);
	if (!found)
		return refuse(ctx, service->no_backend);
	if (!forward(ctx, &packet, &choice, hash))
		return counted(PHX_COUNTER_NO_HEADROOM_DROPPED, XDP_DROP);
	count_traffic(&service_traffic, service_index, packet.length);
	count_traffic(&backend_traffic, choice.entry, packet.length);
	return send(ctx, &choice);
}

char _license[] SEC("license") = "Dual BSD/GPL";

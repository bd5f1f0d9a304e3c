// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The agent, on backends: takes packets for VIPs out of the tunnels of configured nodes, with no tunnel
 * device, and hands them to the host's own stack. phalanx.h says what every map means.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "lib/tunnel.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PHX_AGENT_MAX_VIPS);
	__type(key, struct phx_agent_vip);
	__type(value, __u32);
} agent_vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PHX_AGENT_MAX_NODES);
	__type(key, struct phx_agent_node);
	__type(value, __u32);
} agent_nodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PHX_AGENT_COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} agent_counters SEC(".maps");

static __always_inline int counted(enum phx_agent_counter counter, int verdict)
{
	__u32 key = counter;
	__u64 *count = bpf_map_lookup_elem(&agent_counters, &key);

	if (count)
		(*count)++;
	return verdict;
}

PHX_ASSERT(PHX_AGENT_COUNTER_DECAPSULATED_6IN4 == PHX_AGENT_COUNTER_DECAPSULATED_4IN4 + 1, "order of forms");
PHX_ASSERT(PHX_AGENT_COUNTER_DECAPSULATED_4IN6 == PHX_AGENT_COUNTER_DECAPSULATED_4IN4 + 2, "order of forms");
PHX_ASSERT(PHX_AGENT_COUNTER_DECAPSULATED_6IN6 == PHX_AGENT_COUNTER_DECAPSULATED_4IN4 + 3, "order of forms");

static __always_inline enum phx_agent_counter form_of(const struct phx_tunnel *tunnel)
{
	int form = PHX_AGENT_COUNTER_DECAPSULATED_4IN4;

	form += tunnel->source.family == PHX_FAMILY_IPV6 ? 2 : 0;
	form += tunnel->destination.family == PHX_FAMILY_IPV6 ? 1 : 0;
	return form;
}

/* The inner packet, with the Ethernet header moved to it. Returns 0 when the head cannot be moved. */
static __always_inline int decapsulate(struct xdp_md *ctx, const struct phx_tunnel *tunnel)
{
	int outer =
		tunnel->source.family == PHX_FAMILY_IPV4 ? sizeof(struct phx_ipv4) : sizeof(struct phx_ipv6);
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	__u64 first;
	__u32 second;

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return 0;
	first = phx_load64(ethernet->destination);
	second = phx_load32(ethernet->source + 2);
	if (bpf_xdp_adjust_head(ctx, outer))
		return 0;

	ethernet = (void *)(long)ctx->data;
	struct phx_ipv4 *ipv4 = (void *)(ethernet + 1);
	struct phx_ipv6 *ipv6 = (void *)(ethernet + 1);

	/* verifier: both families' inner headers were seen to lie in the frame, but before the head moved */
	if ((void *)(ipv4 + 1) > (void *)(long)ctx->data_end)
		return 0;
	phx_store64(ethernet->destination, first);
	phx_store32(ethernet->source + 2, second);
	if (tunnel->destination.family == PHX_FAMILY_IPV4) {
		ethernet->type = PHX_SWAP16(PHX_ETHERTYPE_IPV4);
		if (tunnel->congested)
			phx_mark_congested_ipv4(ipv4);
	} else {
		ethernet->type = PHX_SWAP16(PHX_ETHERTYPE_IPV6);
		if (tunnel->congested)
			phx_mark_congested_ipv6(ipv6);
	}
	return 1;
}

SEC("xdp")
int phalanx_agent_xdp(struct xdp_md *ctx)
{
	struct phx_tunnel tunnel;
	enum phx_tunnel_kind kind =
		phx_parse_tunnel((void *)(long)ctx->data, (void *)(long)ctx->data_end, &tunnel);

	if (kind == PHX_TUNNEL_NONE)
		return XDP_PASS;

	int readable = kind == PHX_TUNNEL_LYING || kind == PHX_TUNNEL_SOUND;
	int for_vip = readable && bpf_map_lookup_elem(&agent_vips, &tunnel.destination);

	/* What is neither for a VIP nor from a node is no business of ours: other tunnels may end here. */
	if (!bpf_map_lookup_elem(&agent_nodes, &tunnel.source))
		return for_vip ? counted(PHX_AGENT_COUNTER_REFUSED_SOURCE, XDP_DROP) : XDP_PASS;
	if (kind == PHX_TUNNEL_FRAGMENT)
		return counted(PHX_AGENT_COUNTER_FRAGMENT_PASSED, XDP_PASS);
	if (kind == PHX_TUNNEL_OPTIONS)
		return counted(PHX_AGENT_COUNTER_OPTIONS_PASSED, XDP_PASS);
	if (readable && !for_vip)
		return counted(PHX_AGENT_COUNTER_NOT_VIP_PASSED, XDP_PASS);
	if (kind != PHX_TUNNEL_SOUND)
		return counted(PHX_AGENT_COUNTER_REFUSED_INNER, XDP_DROP);
	if (!decapsulate(ctx, &tunnel))
		return counted(PHX_AGENT_COUNTER_NO_ROOM_DROPPED, XDP_DROP);
	return counted(form_of(&tunnel), XDP_PASS);
}

char _license[] SEC("license") = "Dual BSD/GPL";

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The agent, on backends: takes packets for VIPs out of the tunnels of configured nodes and peers, with no
 * tunnel device, and hands them to the host's own stack. A packet that names other backends (hops.h) and
 * whose flow no socket here knows goes on to the next of them. phalanx.h says what every map means.
 */
#include "agent/admit.h"
#include "agent/known.h"
#include "agent/pass_on.h"

#define FORM(form, bits)                                                                                     \
	PHX_ASSERT(PHX_AGENT_COUNTER_DECAPSULATED_##form == PHX_AGENT_COUNTER_DECAPSULATED_4IN4 + (bits),    \
		   "forms follow the order of their counters")
FORM(6IN4, 1);
FORM(4IN6, 2);
FORM(6IN6, 3);
FORM(GUE_4IN4, 4);
FORM(GUE_6IN4, 5);
FORM(GUE_4IN6, 6);
FORM(GUE_6IN6, 7);

static __always_inline enum phx_agent_counter form_of(const struct phx_tunnel *tunnel)
{
	int form = PHX_AGENT_COUNTER_DECAPSULATED_4IN4;

	form += tunnel->is_gue ? 4 : 0;
	form += tunnel->source.family == PHX_FAMILY_IPV6 ? 2 : 0;
	form += tunnel->destination.family == PHX_FAMILY_IPV6 ? 1 : 0;
	return form;
}

/* The inner packet, with the Ethernet header moved to it. Returns how the frame is counted. */
static __always_inline enum phx_agent_counter decapsulate(struct xdp_md *ctx, const struct phx_tunnel *tunnel)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	__u64 first;
	__u32 second;
	int taken;

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return PHX_AGENT_COUNTER_NO_ROOM_DROPPED;
	first = phx_load64(ethernet->destination);
	second = phx_load32(ethernet->source + 2);
	if (bpf_xdp_adjust_head(ctx, tunnel->outer))
		return PHX_AGENT_COUNTER_NO_ROOM_DROPPED;

	ethernet = (void *)(long)ctx->data;
	struct phx_ipv4 *ipv4 = (void *)(ethernet + 1);
	struct phx_ipv6 *ipv6 = (void *)(ethernet + 1);

	/* verifier: both families' inner headers were seen to lie in the frame, but before the head moved */
	if ((void *)(ipv4 + 1) > (void *)(long)ctx->data_end)
		return PHX_AGENT_COUNTER_NO_ROOM_DROPPED;
	phx_store64(ethernet->destination, first);
	phx_store32(ethernet->source + 2, second);
	if (tunnel->destination.family == PHX_FAMILY_IPV4) {
		ethernet->type = PHX_SWAP16(PHX_ETHERTYPE_IPV4);
		taken = phx_ecn_ipv4(ipv4, tunnel->ecn);
	} else {
		ethernet->type = PHX_SWAP16(PHX_ETHERTYPE_IPV6);
		taken = phx_ecn_ipv6(ipv6, tunnel->ecn);
	}
	return taken ? form_of(tunnel) : PHX_AGENT_COUNTER_REFUSED_CONGESTED;
}

/* What a node may send and we do not understand. */
static __always_inline enum phx_agent_counter refusal(enum phx_tunnel_kind kind)
{
	switch (kind) {
	case PHX_TUNNEL_VERSION:
		return PHX_AGENT_COUNTER_REFUSED_VERSION;
	case PHX_TUNNEL_CONTROL:
		return PHX_AGENT_COUNTER_REFUSED_CONTROL;
	case PHX_TUNNEL_FLAGS:
		return PHX_AGENT_COUNTER_REFUSED_FLAGS;
	case PHX_TUNNEL_PROTOCOL:
		return PHX_AGENT_COUNTER_REFUSED_PROTOCOL;
	default:
		return PHX_AGENT_COUNTER_REFUSED_INNER;
	}
}

/* A packet with private data. Returns a verdict, or TAKE; both are counted, but for a packet without hops. */
static __noinline int second_chance(struct xdp_md *ctx, const struct phx_tunnel *tunnel)
{
	__u32 inner_at = (__u32)sizeof(struct phx_ethernet) + tunnel->outer;
	__u32 bytes = tunnel->private_words * (__u32)sizeof(__u32);
	__u32 private_at = inner_at - bytes;
	const __u8 *private = (void *)(long)ctx->data + (private_at & 0xff);
	enum phx_agent_counter done;

	switch (phx_judge_hops(private, (void *)(long)ctx->data_end, bytes)) {
	case PHX_HOPS_NONE:
		return TAKE;
	case PHX_HOPS_USED_UP:
		return counted(PHX_AGENT_COUNTER_ACCEPTED_LAST_HOP, TAKE);
	case PHX_HOPS_NEXT:
		done = recognise_or_remember(ctx, inner_at, tunnel->destination.family);
		if (done == PHX_AGENT_COUNTER_PASSED_ON)
			return pass_on(ctx, tunnel, private_at);
		return counted(done, TAKE);
	case PHX_HOPS_CUT:
		return counted(PHX_AGENT_COUNTER_HOPS_CUT_DROPPED, XDP_DROP);
	case PHX_HOPS_TRAILING:
		return counted(PHX_AGENT_COUNTER_HOPS_TRAILING_DROPPED, XDP_DROP);
	case PHX_HOPS_BEYOND:
		return counted(PHX_AGENT_COUNTER_HOPS_BEYOND_DROPPED, XDP_DROP);
	default:
		return counted(PHX_AGENT_COUNTER_HOPS_UNKNOWN_DROPPED, XDP_DROP);
	}
}

SEC("xdp")
int phalanx_agent_xdp(struct xdp_md *ctx)
{
	struct phx_tunnel tunnel;
	enum phx_tunnel_kind kind =
		phx_parse_tunnel((void *)(long)ctx->data, (void *)(long)ctx->data_end, gue_port, &tunnel);
	enum phx_agent_counter done;
	int verdict = TAKE;

	if (kind == PHX_TUNNEL_NONE)
		return XDP_PASS;

	int readable = kind == PHX_TUNNEL_LYING || kind == PHX_TUNNEL_SOUND;
	int for_vip = readable && is_vip(&tunnel.destination);

	/* What is neither for a VIP nor from a node or peer is no business of ours: other tunnels may end
	 * here. */
	if (!may_send(&tunnel.source))
		return for_vip ? counted(PHX_AGENT_COUNTER_REFUSED_SOURCE, XDP_DROP) : XDP_PASS;
	if (kind == PHX_TUNNEL_FRAGMENT)
		return counted(PHX_AGENT_COUNTER_FRAGMENT_PASSED, XDP_PASS);
	if (kind == PHX_TUNNEL_OPTIONS)
		return counted(PHX_AGENT_COUNTER_OPTIONS_PASSED, XDP_PASS);
	if (readable && !for_vip)
		return counted(PHX_AGENT_COUNTER_NOT_VIP_PASSED, XDP_PASS);
	if (kind != PHX_TUNNEL_SOUND)
		return counted(refusal(kind), XDP_DROP);
	if (tunnel.private_words)
		verdict = second_chance(ctx, &tunnel);
	if (verdict != TAKE)
		return verdict;
	done = decapsulate(ctx, &tunnel);
	return counted(done, done <= PHX_AGENT_COUNTER_DECAPSULATED_GUE_6IN6 ? XDP_PASS : XDP_DROP);
}

char _license[] SEC("license") = "Dual BSD/GPL";

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every packet that is not plain, or that no service takes. Global functions, which the verifier looks at
 * once, with a frame of their own: the fast path pays nothing for them.
 */
#ifndef PHALANX_BALANCER_RARE_H
#define PHALANX_BALANCER_RARE_H

#include "balancer/nat_return.h"
#include "balancer/serve.h"

/* To a port without service, or of another protocol, which can only be dropped in silence. */
static __always_inline int unmatched(struct xdp_md *ctx, const struct phx_packet *packet, enum phx_kind kind,
				     __u32 rule)
{
	if (rule == PHX_UNMATCHED_REJECT && kind == PHX_KIND_FLOW)
		return refuse(ctx, packet, PHX_COUNTER_UNMATCHED_REJECTED, PHX_COUNTER_UNMATCHED_DROPPED);
	if (rule == PHX_UNMATCHED_REJECT || rule == PHX_UNMATCHED_DROP)
		return counted(PHX_COUNTER_UNMATCHED_DROPPED, XDP_DROP);
	return counted(kind == PHX_KIND_FLOW ? PHX_COUNTER_UNMATCHED_PASSED : PHX_COUNTER_PROTOCOL_PASSED,
		       XDP_PASS);
}

/* A flow's packet, or an error about one. */
static __always_inline int serve_flow(struct xdp_md *ctx, const struct phx_packet *packet,
				      const struct phx_chain *chain, enum phx_kind kind, __u32 rule)
{
	struct phx_vip *vip = bpf_map_lookup_elem(&vips, &packet->flow.to);

	if (!vip)
		return kind == PHX_KIND_FLOW ? unmatched(ctx, packet, kind, rule)
					     : counted(PHX_COUNTER_ICMP_PASSED, XDP_PASS);
	if (kind == PHX_KIND_ERROR)
		counted(PHX_COUNTER_BY_QUOTE, 0);
	return serve(ctx, packet, vip->service, chain, DELIVERED);
}

static __always_inline int judge(struct xdp_md *ctx, const struct phx_packet *packet,
				 const struct phx_chain *chain, enum phx_kind kind, __u32 rule)
{
	switch (kind) {
	case PHX_KIND_FLOW:
	case PHX_KIND_ERROR:
		return serve_flow(ctx, packet, chain, kind, rule);
	case PHX_KIND_FRAGMENT:
		return follow(ctx, packet, chain);
	case PHX_KIND_ECHO:
		if (echo(ctx, packet))
			return counted(PHX_COUNTER_ECHO_ANSWERED, XDP_TX);
		return counted(PHX_COUNTER_ICMP_PASSED, XDP_PASS);
	case PHX_KIND_ICMP: /* whatever the rule: neighbour discovery and path MTUs depend on it */
		return counted(PHX_COUNTER_ICMP_PASSED, XDP_PASS);
	case PHX_KIND_PROTOCOL:
		return unmatched(ctx, packet, kind, rule);
	case PHX_KIND_EXTENSION:
		return counted(PHX_COUNTER_EXTENSION_PASSED, XDP_PASS);
	default:
		return counted(PHX_COUNTER_MALFORMED_PASSED, XDP_PASS);
	}
}

/*
 * A frame without tags, for a VIP whose own row has this rule (enum phx_unmatched). Returns the verdict, with
 * DELIVERED if it goes to a backend.
 */
__noinline int phalanx_rare(struct xdp_md *ctx, __u32 rule)
{
	struct phx_packet packet = {};
	struct phx_chain chain = {};
	enum phx_kind kind = phx_parse_rare(ctx, &chain, &packet);
	int verdict = judge(ctx, &packet, &chain, kind, rule);

	if (kind == PHX_KIND_FLOW && verdict == XDP_PASS && packet.part == PHX_PART_FIRST)
		record(&packet, &chain, PHX_NO_SERVICE, PHX_NO_ENTRY, 0);
	return verdict;
}

/* What is for no VIP: foreign, or on the way back from a nat backend. */
static __always_inline int pass_or_return(struct xdp_md *ctx, const struct phx_tags *tags, __u8 family)
{
	__u32 offset = (__u32)sizeof(struct phx_ethernet) + tags->count * TAG_SIZE;
	int verdict;

	if (!with_nat || !may_return(ctx, offset, family))
		return XDP_PASS;
	if (tags->count && !take_off_tags(ctx, tags))
		return XDP_PASS;
	verdict = phalanx_return(ctx, tags->count);
	if (tags->count && verdict == XDP_PASS && !put_on_tags(ctx, tags))
		return counted(PHX_COUNTER_NO_HEADROOM_DROPPED, XDP_DROP);
	return verdict;
}

/*
 * Any frame. For a VIP its tags come off, so that all that follows knows untagged frames only; what the
 * node's kernel or the client gets has them on again.
 */
__noinline int phalanx_any(struct xdp_md *ctx)
{
	struct phx_vip_key key __attribute__((aligned(8))) = {};
	struct phx_tags tags = {};
	struct phx_vip *vip = 0;
	int verdict;

	if (!phx_parse_destination((void *)(long)ctx->data, (void *)(long)ctx->data_end, &tags, &key))
		return XDP_PASS;
	if (may_be_known(key.address))
		vip = bpf_map_lookup_elem(&vips, &key);
	if (!vip)
		return pass_or_return(ctx, &tags, key.family);
	if (tags.count && !take_off_tags(ctx, &tags))
		return XDP_PASS;
	verdict = phalanx_rare(ctx, vip->unmatched);
	if (tags.count && (verdict == XDP_PASS || verdict == XDP_TX) && !put_on_tags(ctx, &tags))
		return counted(PHX_COUNTER_NO_HEADROOM_DROPPED, XDP_DROP);
	return verdict & ~DELIVERED;
}

#endif /* PHALANX_BALANCER_RARE_H */

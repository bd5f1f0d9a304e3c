/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the path itself answers clients: echo replies, and refusals where no backend is up. */
#ifndef PHALANX_BALANCER_ANSWER_H
#define PHALANX_BALANCER_ANSWER_H

#include "balancer/count.h"
#include "lib/echo.h"
#include "lib/parse.h"
#include "lib/reject.h"

static __always_inline int echo(struct xdp_md *ctx, __u8 family)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct phx_ipv4 *ipv4 = (void *)(ethernet + 1);
	struct phx_ipv6 *ipv6 = (void *)(ethernet + 1);

	if (family == PHX_FAMILY_IPV4) {
		struct phx_icmp *icmp = (void *)(ipv4 + 1);

		return (void *)(icmp + 1) <= end && phx_echo_ipv4(ethernet, ipv4, icmp);
	}
	struct phx_icmp *icmp = (void *)(ipv6 + 1);

	return (void *)(icmp + 1) <= end && phx_echo_ipv6(ethernet, ipv6, icmp);
}

/* Leaves this many bytes behind the Ethernet header. The packet has them. */
static __always_inline int cut_behind(struct xdp_md *ctx, __u32 bytes)
{
	long frame = (long)ctx->data_end - (long)ctx->data;
	int surplus;

	/* verifier: pointers are subtracted in 64 bits only, and the compiler would take 32 of them */
	asm volatile("" : "+r"(frame));
	surplus = (int)frame - (int)(sizeof(struct phx_ethernet) + bytes);
	return !surplus || !bpf_xdp_adjust_tail(ctx, -surplus);
}

static __always_inline int may_answer(const struct phx_ethernet *ethernet, const struct phx_flow *flow)
{
	if (flow->to.family == PHX_FAMILY_IPV4)
		return phx_may_answer_ipv4(ethernet, phx_load32(flow->source));
	return phx_may_answer_ipv6(ethernet, phx_load64(flow->source), phx_load64(flow->source + 8));
}

/* Makes the segment its own reset. Returns 0 when there must not be one. */
static __always_inline int reset(struct xdp_md *ctx, const struct phx_packet *packet)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct phx_ipv4 *ipv4 = (void *)(ethernet + 1);
	struct phx_ipv6 *ipv6 = (void *)(ethernet + 1);
	struct phx_tcp *tcp4 = (void *)(ipv4 + 1);
	struct phx_tcp *tcp6 = (void *)(ipv6 + 1);

	if ((void *)(tcp4 + 1) > end || !may_answer(ethernet, &packet->flow))
		return 0;
	phx_swap_macs(ethernet);
	if (packet->flow.to.family == PHX_FAMILY_IPV4)
		return phx_reset_ipv4(ipv4, tcp4) && cut_behind(ctx, sizeof(*ipv4) + PHX_TCP_HEADER);
	return (void *)(tcp6 + 1) <= end && phx_reset_ipv6(ipv6, tcp6) &&
	       cut_behind(ctx, sizeof(*ipv6) + PHX_TCP_HEADER);
}

/* Makes the datagram the ICMP error that quotes it. Returns 0 when there must not be one. */
static __always_inline int unreachable(struct xdp_md *ctx, const struct phx_packet *packet)
{
	int is_ipv4 = packet->flow.to.family == PHX_FAMILY_IPV4;
	__u32 quote = is_ipv4 ? PHX_QUOTE_IPV4 : phx_quote_ipv6(packet->length);
	int push = is_ipv4 ? PHX_UNREACHABLE_PUSH_IPV4 : PHX_UNREACHABLE_PUSH_IPV6;
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct phx_ethernet asked;

	if ((void *)(ethernet + 1) > end || !may_answer(ethernet, &packet->flow))
		return 0;
	asked = *ethernet;
	if (!cut_behind(ctx, quote) || bpf_xdp_adjust_head(ctx, -push))
		return 0;
	ethernet = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;

	struct phx_unreachable_ipv4 *ipv4 = (void *)(ethernet + 1);
	struct phx_unreachable_ipv6 *ipv6 = (void *)(ethernet + 1);

	if ((void *)(ipv4 + 1) > end || (!is_ipv4 && (void *)(ipv6 + 1) > end))
		return 0;
	if (is_ipv4)
		phx_write_unreachable_ipv4(ipv4);
	else
		phx_write_unreachable_ipv6(ipv6, end);
	*ethernet = asked;
	phx_swap_macs(ethernet);
	return 1;
}

/* No backend takes the packet. Parses anew, in a frame of its own, as `unserved` does. */
static __noinline int refuse(struct xdp_md *ctx, enum phx_no_backend rule)
{
	struct phx_packet packet;

	if (rule != PHX_NO_BACKEND_REJECT ||
	    phx_parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &packet) != PHX_KIND_FLOW)
		return counted(PHX_COUNTER_NO_BACKEND_DROPPED, XDP_DROP);
	if (packet.flow.to.protocol == PHX_PROTOCOL_TCP ? !reset(ctx, &packet) : !unreachable(ctx, &packet))
		return counted(PHX_COUNTER_NO_BACKEND_DROPPED, XDP_DROP);
	return counted(PHX_COUNTER_REJECTED, XDP_TX);
}

#endif /* PHALANX_BALANCER_ANSWER_H */

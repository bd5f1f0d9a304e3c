/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the path itself answers clients: echo replies, refusals, and why a packet could not go on. */
#ifndef PHALANX_BALANCER_ANSWER_H
#define PHALANX_BALANCER_ANSWER_H

#include "balancer/clock.h"
#include "balancer/count.h"
#include "lib/echo.h"
#include "lib/icmp_error.h"
#include "lib/parse.h"
#include "lib/reset.h"

static __always_inline int may_answer(struct xdp_md *ctx, const struct phx_flow *flow)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return 0;
	if (flow->to.family == PHX_FAMILY_IPV4)
		return phx_may_answer_ipv4(ethernet, phx_load32(flow->source));
	return phx_may_answer_ipv6(ethernet, phx_load64(flow->source), phx_load64(flow->source + 8));
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

/* ------------------------------------------------------------------------------- options and extensions */

/* Copies the bytes from `from` to `to` that lie further on, from the last to the first, as they may overlap.
 */
static __always_inline void copy_up(__u8 *to, const __u8 *from, __u32 bytes)
{
	for (int i = (int)bytes - 2; i >= 0; i -= 2)
		*(phx_wire16 *)(to + i) = *(const phx_wire16 *)(from + i);
}

/*
 * Takes so many bytes out from between the IP header and what it carries: an answer made of the packet has no
 * options and no extension headers. protocol: of what is carried.
 */
__noinline int phalanx_take_out(struct xdp_md *ctx, __u32 surplus, __u32 protocol)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct phx_ipv4 *ipv4;
	struct phx_ipv6 *ipv6;
	__u8 *to;

	if (surplus > PHX_MAX_L4 || (void *)(ethernet + 1) > end)
		return 0;
	to = (__u8 *)ethernet + surplus;
	ipv4 = (void *)(to + sizeof(*ethernet));
	ipv6 = (void *)(to + sizeof(*ethernet));
	if (ethernet->type == PHX_SWAP16(PHX_ETHERTYPE_IPV4)) {
		if ((void *)(ethernet + 1) + sizeof(*ipv4) > end || (void *)(ipv4 + 1) > end)
			return 0;
		copy_up(to, (__u8 *)ethernet, sizeof(*ethernet) + sizeof(*ipv4));
		phx_write_answer_ipv4(ipv4, PHX_SWAP16(ipv4->length) - surplus, ipv4->protocol, ipv4->source,
				      ipv4->destination);
	} else {
		if ((void *)(ethernet + 1) + sizeof(*ipv6) > end || (void *)(ipv6 + 1) > end)
			return 0;
		copy_up(to, (__u8 *)ethernet, sizeof(*ethernet) + sizeof(*ipv6));
		ipv6->payload_length = PHX_SWAP16(PHX_SWAP16(ipv6->payload_length) - surplus);
		ipv6->next_header = (__u8)protocol;
	}
	return !bpf_xdp_adjust_head(ctx, (int)surplus);
}

static __always_inline int take_out_options(struct xdp_md *ctx, const struct phx_packet *packet,
					    __u32 protocol)
{
	__u32 plain =
		packet->flow.to.family == PHX_FAMILY_IPV4 ? sizeof(struct phx_ipv4) : sizeof(struct phx_ipv6);

	return packet->l4 <= plain || phalanx_take_out(ctx, packet->l4 - plain, protocol);
}

/* ---------------------------------------------------------------------------------------- echo and reset */

/* Makes the request its own reply. Returns 0, with the packet untouched, when there must not be one. */
static __always_inline int echo(struct xdp_md *ctx, const struct phx_packet *packet)
{
	int is_ipv4 = packet->flow.to.family == PHX_FAMILY_IPV4;
	struct phx_ethernet *ethernet;
	struct phx_ipv4 *ipv4;
	struct phx_ipv6 *ipv6;
	void *end;

	if (!may_answer(ctx, &packet->flow) ||
	    !take_out_options(ctx, packet, is_ipv4 ? PHX_PROTOCOL_ICMP : PHX_PROTOCOL_ICMPV6))
		return 0;
	ethernet = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ipv4 = (void *)(ethernet + 1);
	ipv6 = (void *)(ethernet + 1);
	if (is_ipv4) {
		struct phx_icmp *icmp = (void *)(ipv4 + 1);

		return (void *)(icmp + 1) <= end && phx_echo_ipv4(ethernet, ipv4, icmp);
	}
	struct phx_icmp *icmp = (void *)(ipv6 + 1);

	return (void *)(icmp + 1) <= end && phx_echo_ipv6(ethernet, ipv6, icmp);
}

/*
 * Makes the segment its own reset. Returns 0 when there must not be one: also for a fragment, whose segment
 * is longer than can be seen.
 */
static __always_inline int reset(struct xdp_md *ctx, const struct phx_packet *packet)
{
	struct phx_ethernet *ethernet;
	struct phx_ipv4 *ipv4;
	struct phx_ipv6 *ipv6;
	void *end;

	if (packet->part != PHX_PART_WHOLE || !may_answer(ctx, &packet->flow) ||
	    !take_out_options(ctx, packet, PHX_PROTOCOL_TCP))
		return 0;
	ethernet = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ipv4 = (void *)(ethernet + 1);
	ipv6 = (void *)(ethernet + 1);
	if (packet->flow.to.family == PHX_FAMILY_IPV4) {
		struct phx_tcp *tcp = (void *)(ipv4 + 1);

		if ((void *)(tcp + 1) > end || !phx_reset_ipv4(ipv4, tcp))
			return 0;
		phx_swap_macs(ethernet);
		return cut_behind(ctx, sizeof(*ipv4) + PHX_TCP_HEADER);
	}
	struct phx_tcp *tcp = (void *)(ipv6 + 1);

	if ((void *)(tcp + 1) > end || !phx_reset_ipv6(ipv6, tcp))
		return 0;
	phx_swap_macs(ethernet);
	return cut_behind(ctx, sizeof(*ipv6) + PHX_TCP_HEADER);
}

/* ------------------------------------------------------------------------------------------- ICMP errors */

/* Errors are few, or somebody makes us send them to a victim. */
static __always_inline int within_limit(void)
{
	__u32 key = 0;
	struct phx_answers *row = bpf_map_lookup_elem(&answers, &key);
	__u64 second = now_s();

	if (!row)
		return 0;
	if (row->second != second) {
		row->second = second;
		row->sent = 0;
	}
	if (row->sent >= PHX_ANSWERS_PER_S)
		return counted(PHX_COUNTER_ANSWERS_LIMITED, 0);
	row->sent++;
	return 1;
}

/*
 * Makes the packet the ICMP error that quotes so many bytes of it. error: enum phx_error; mtu: of TOO_BIG.
 * A global function, which the verifier looks at once, whoever calls it.
 */
__noinline int phalanx_error(struct xdp_md *ctx, __u32 quote, __u32 error, __u32 mtu)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	struct phx_error_ipv4 *ipv4;
	struct phx_error_ipv6 *ipv6;
	int is_ipv4, push;
	void *end;

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return 0;
	is_ipv4 = ethernet->type == PHX_SWAP16(PHX_ETHERTYPE_IPV4);
	push = is_ipv4 ? PHX_ERROR_PUSH_IPV4 : PHX_ERROR_PUSH_IPV6;
	if (!cut_behind(ctx, quote) || bpf_xdp_adjust_head(ctx, -push))
		return 0;
	ethernet = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ipv4 = (void *)(ethernet + 1);
	ipv6 = (void *)(ethernet + 1);
	if ((void *)(ipv4 + 1) > end || (!is_ipv4 && (void *)(ipv6 + 1) > end))
		return 0;
	/* from where the headers of the error will be */
	if (is_ipv4)
		*ethernet = *(struct phx_ethernet *)((__u8 *)ethernet + PHX_ERROR_PUSH_IPV4);
	else
		*ethernet = *(struct phx_ethernet *)((__u8 *)ethernet + PHX_ERROR_PUSH_IPV6);
	phx_swap_macs(ethernet);
	if (is_ipv4)
		phx_write_error_ipv4(ipv4, end, phx_error_type(error, PHX_FAMILY_IPV4), mtu);
	else
		phx_write_error_ipv6(ipv6, end, phx_error_type(error, PHX_FAMILY_IPV6), mtu);
	return 1;
}

/* Returns 0 when there must not be one: none is about an error, or a later fragment (RFC 1122 section 3.2.2).
 */
static __always_inline int answer_by_error(struct xdp_md *ctx, const struct phx_packet *packet,
					   enum phx_error error, __u32 mtu)
{
	if (packet->quoted || packet->part == PHX_PART_LATER || !may_answer(ctx, &packet->flow) ||
	    !within_limit())
		return 0;
	return phalanx_error(ctx, phx_quote_size(packet->flow.to.family, packet->length, packet->l4), error,
			     mtu);
}

static __noinline int refuse_by_reset(struct xdp_md *ctx, const struct phx_packet *packet,
				      enum phx_counter refused, enum phx_counter dropped)
{
	return reset(ctx, packet) ? counted(refused, XDP_TX) : counted(dropped, XDP_DROP);
}

static __noinline int refuse_by_error(struct xdp_md *ctx, const struct phx_packet *packet,
				      enum phx_counter refused, enum phx_counter dropped)
{
	return answer_by_error(ctx, packet, PHX_ERROR_PORT_UNREACHABLE, 0) ? counted(refused, XDP_TX)
									   : counted(dropped, XDP_DROP);
}

/* Nobody takes the packet of a flow, or the error about it. Each answer has a frame of its own: together they
 * are too large for what is left of the stack. */
static __always_inline int refuse(struct xdp_md *ctx, const struct phx_packet *packet,
				  enum phx_counter refused, enum phx_counter dropped)
{
	if (packet->flow.to.protocol == PHX_PROTOCOL_TCP && !packet->quoted)
		return refuse_by_reset(ctx, packet, refused, dropped);
	return refuse_by_error(ctx, packet, refused, dropped);
}

/* The packet's life ends here: traceroute wants to know, and a loop must end. */
static __noinline int expire(struct xdp_md *ctx, const struct phx_packet *packet)
{
	if (answer_by_error(ctx, packet, PHX_ERROR_TIME_EXCEEDED, 0))
		return counted(PHX_COUNTER_TTL_ANSWERED, XDP_TX);
	return counted(PHX_COUNTER_TTL_DROPPED, XDP_DROP);
}

/*
 * The packet does not fit into the way to its backend; room: the bytes that would. Fragmenting is the
 * client's job, also of IPv4 packets that allow it: pieces made here would be lost wherever the network
 * spreads them. A client of IPv6 need not go below its smallest MTU (RFC 8200 section 5): where the way is
 * narrower still, nothing can be said that helps.
 */
static __noinline int turn_back(struct xdp_md *ctx, const struct phx_packet *packet, int room)
{
	int least = packet->flow.to.family == PHX_FAMILY_IPV4 ? PHX_MIN_MTU_IPV4 : PHX_MIN_MTU_IPV6;
	__u32 mtu = room < least ? least : room;

	if (packet->length > mtu && answer_by_error(ctx, packet, PHX_ERROR_TOO_BIG, mtu))
		return counted(PHX_COUNTER_TOO_BIG_ANSWERED, XDP_TX);
	return counted(PHX_COUNTER_TOO_BIG_DROPPED, XDP_DROP);
}

#endif /* PHALANX_BALANCER_ANSWER_H */

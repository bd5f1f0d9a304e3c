/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether a socket of this host, or of a configured namespace, knows the flow of an inner packet. */
#ifndef PHALANX_AGENT_RECOGNISE_H
#define PHALANX_AGENT_RECOGNISE_H

#include "agent/maps.h"
#include "lib/parse_rare.h"
#include "lib/tunnel.h"

/* Furthest into a frame that an inner packet begins. */
#define MAX_INNER (sizeof(struct phx_ethernet) + PHX_OUTER_LIMIT)

/* The flow as the kernel's look-ups want it. Returns its size, which tells them the family. */
static __always_inline __u32 tuple_of(struct bpf_sock_tuple *tuple, const struct phx_flow *flow)
{
	if (flow->to.family == PHX_FAMILY_IPV4) {
		tuple->ipv4.saddr = phx_load32(flow->source);
		tuple->ipv4.daddr = phx_load32(flow->to.address);
		tuple->ipv4.sport = flow->source_port;
		tuple->ipv4.dport = flow->to.port;
		return sizeof(tuple->ipv4);
	}
	__builtin_memcpy(tuple->ipv6.saddr, flow->source, sizeof(tuple->ipv6.saddr));
	__builtin_memcpy(tuple->ipv6.daddr, flow->to.address, sizeof(tuple->ipv6.daddr));
	tuple->ipv6.sport = flow->source_port;
	tuple->ipv6.dport = flow->to.port;
	return sizeof(tuple->ipv6);
}

/*
 * at: where in the frame the inner IP header lies. Returns the TCP header, or 0 where the frame ends before
 * its end. verifier: the IP header is seen to lie in the frame as well, for one of IPv4 and that of TCP
 * together are as long as one of IPv6.
 */
static __always_inline const struct phx_tcp *segment(struct xdp_md *ctx, const struct phx_packet *packet,
						     __u32 at, const void **ip)
{
	const struct phx_tcp *tcp;
	__u64 l4 = packet->l4;

	*ip = (void *)(long)ctx->data + (at & 0xff);
	PHX_FORGET(l4);
	tcp = *ip + (l4 & PHX_MAX_L4);
	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end ||
	    *ip + sizeof(struct phx_ipv6) > (void *)(long)ctx->data_end)
		return 0;
	return tcp;
}

/* Whether it is a segment that asks for a new connection. */
static __always_inline int is_opening(struct xdp_md *ctx, const struct phx_packet *packet, __u32 at)
{
	const void *ip;
	const struct phx_tcp *tcp = packet->quoted ? 0 : segment(ctx, packet, at, &ip);

	return tcp && (tcp->flags & (PHX_TCP_SYN | PHX_TCP_ACK | PHX_TCP_RST)) == PHX_TCP_SYN;
}

/* What a listener is to a segment that opens no connection: it takes what answers a cookie that it gave. */
static __always_inline enum phx_agent_counter judge_by_listener(struct xdp_md *ctx, struct bpf_sock *listener,
								const struct phx_packet *packet, __u32 at)
{
	__u32 size =
		packet->flow.to.family == PHX_FAMILY_IPV4 ? sizeof(struct phx_ipv4) : sizeof(struct phx_ipv6);
	const void *ip;
	const struct phx_tcp *tcp = packet->quoted ? 0 : segment(ctx, packet, at, &ip);

	if (tcp && !bpf_tcp_check_syncookie(listener, (void *)ip, size, (struct tcphdr *)tcp, sizeof(*tcp)))
		return PHX_AGENT_COUNTER_ACCEPTED_COOKIE;
	return PHX_AGENT_COUNTER_PASSED_ON;
}

/* Whether somebody listens where the flow goes: the same look-up for a client that there cannot be. */
static __always_inline int is_listened_to(struct xdp_md *ctx, struct bpf_sock_tuple *tuple, __u32 size,
					  __u64 namespace)
{
	struct bpf_sock *socket;

	if (size == sizeof(tuple->ipv4))
		tuple->ipv4.sport = 0;
	else
		tuple->ipv6.sport = 0;
	socket = bpf_skc_lookup_tcp(ctx, tuple, size, namespace, 0);
	if (!socket)
		return 0;
	bpf_sk_release(socket);
	return 1;
}

/*
 * Of a flow that a socket in time-wait here had: whether the client has opened it anew with another backend,
 * because nobody listened here when its SYN came. That is remembered until somebody listens and a SYN comes
 * again; a row that gives way to others costs one such connection, no more.
 */
static __always_inline int is_elsewhere_now(struct xdp_md *ctx, const struct phx_packet *packet, int opening,
					    struct bpf_sock_tuple *tuple, __u32 size, __u64 namespace)
{
	__u32 yes = 1;

	if (!opening)
		return !!bpf_map_lookup_elem(&agent_reopened, &packet->flow);
	if (is_listened_to(ctx, tuple, size, namespace)) {
		bpf_map_delete_elem(&agent_reopened, &packet->flow);
		return 0;
	}
	bpf_map_update_elem(&agent_reopened, &packet->flow, &yes, BPF_ANY);
	return 1;
}

/*
 * A TCP segment, or an error that quotes one. at: where in the frame the inner IP header lies. established:
 * becomes 1 where the segment's socket is in that state, or 0. A connection that is over is remembered for a
 * while by a socket in time-wait, which would answer a SYN even if its server is gone: such a SYN is for
 * whoever listens.
 */
static __noinline enum phx_agent_counter recognise_tcp(struct xdp_md *ctx, const struct phx_packet *packet,
						       __u32 at, __u64 namespace, int *established)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = tuple_of(&tuple, &packet->flow);
	int opening = is_opening(ctx, packet, at);
	enum phx_agent_counter done;
	struct bpf_sock *socket;
	__u32 state;

	socket = bpf_skc_lookup_tcp(ctx, &tuple, size, namespace, 0);
	if (!socket)
		return PHX_AGENT_COUNTER_PASSED_ON;
	state = socket->state;
	*established = state == BPF_TCP_ESTABLISHED && !packet->quoted;
	if (state != BPF_TCP_LISTEN)
		done = packet->quoted ? PHX_AGENT_COUNTER_ACCEPTED_QUOTE
				      : PHX_AGENT_COUNTER_ACCEPTED_ESTABLISHED;
	else if (opening)
		done = PHX_AGENT_COUNTER_ACCEPTED_SYN;
	else
		done = judge_by_listener(ctx, socket, packet, at);
	bpf_sk_release(socket);
	if (state == BPF_TCP_TIME_WAIT && is_elsewhere_now(ctx, packet, opening, &tuple, size, namespace))
		return PHX_AGENT_COUNTER_PASSED_ON;
	return done;
}

/*
 * A UDP datagram, or an error that quotes one. A socket that takes datagrams from anybody serves the flow as
 * well as any other host's would: it takes them, or what nobody is connected for would all end at the last
 * hop. So the second chance is for flows of connected sockets where the host that the packet came to does not
 * serve the port.
 */
static __noinline enum phx_agent_counter recognise_udp(struct xdp_md *ctx, const struct phx_packet *packet,
						       __u64 namespace)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = tuple_of(&tuple, &packet->flow);
	struct bpf_sock *socket = bpf_sk_lookup_udp(ctx, &tuple, size, namespace, 0);
	__u32 state;

	if (!socket)
		return PHX_AGENT_COUNTER_PASSED_ON;
	state = socket->state;
	bpf_sk_release(socket);
	if (packet->quoted)
		return PHX_AGENT_COUNTER_ACCEPTED_QUOTE;
	return state == BPF_TCP_ESTABLISHED ? PHX_AGENT_COUNTER_ACCEPTED_ESTABLISHED
					    : PHX_AGENT_COUNTER_ACCEPTED_UNCONNECTED;
}

static __always_inline enum phx_agent_counter
recognise_in(struct xdp_md *ctx, const struct phx_packet *packet, __u32 at, __u64 namespace, int *established)
{
	if (packet->flow.to.protocol == PHX_PROTOCOL_TCP)
		return recognise_tcp(ctx, packet, at, namespace, established);
	return recognise_udp(ctx, packet, namespace);
}

/* Of whatever is no plain packet. Returns whether there is a flow to look for. */
__noinline int phalanx_agent_rare(struct xdp_md *ctx, __u32 at, __u32 family, struct phx_packet *packet)
{
	struct phx_chain chain = {};
	enum phx_kind kind;

	if (!packet || at > MAX_INNER)
		return 0;
	kind = phx_parse_rare_at(ctx, at, (__u8)family, &chain, packet);
	return kind == PHX_KIND_ERROR || (kind == PHX_KIND_FLOW && packet->part == PHX_PART_WHOLE);
}

static __always_inline int is_plain(struct xdp_md *ctx, __u32 at, __u8 family, struct phx_packet *packet)
{
	const __u8 *inner = (void *)(long)ctx->data + (at & 0xff);
	const __u8 *end = (void *)(long)ctx->data_end;

	return family == PHX_FAMILY_IPV4 ? phx_parse_plain_ipv4(inner, end, packet)
					 : phx_parse_plain_ipv6(inner, end, packet);
}
PHX_ASSERT(MAX_INNER <= 0xff, "a mask tells the verifier the bound");

/*
 * at: where in the frame the inner packet lies, of this family. Returns why it is to be taken, or PASSED_ON.
 * established: becomes 1 where it is a segment of a socket in that state, else it stays 0. The pieces of a
 * datagram are all taken, for only the first tells its flow.
 */
static __noinline enum phx_agent_counter recognise(struct xdp_md *ctx, __u32 at, __u8 family,
						   int *established)
{
	struct phx_packet packet = {};
	enum phx_agent_counter done;

	if (!is_plain(ctx, at, family, &packet) && !phalanx_agent_rare(ctx, at, family, &packet))
		return PHX_AGENT_COUNTER_ACCEPTED_NO_FLOW;
	done = recognise_in(ctx, &packet, at, BPF_F_CURRENT_NETNS, established);
	for (__u32 i = 0; i < PHX_AGENT_MAX_NAMESPACES; i++) {
		if (done != PHX_AGENT_COUNTER_PASSED_ON || i >= namespace_count)
			break;
		done = recognise_in(ctx, &packet, at, namespaces[i], established);
	}
	return done;
}

#endif /* PHALANX_AGENT_RECOGNISE_H */

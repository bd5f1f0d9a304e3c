// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Makes a program that changes its packet repeatable: BPF_PROG_TEST_RUN does not restore the packet between
 * repeats, so that after one encapsulation a balancer would see tunnel packets. The wrapper calls the
 * program, judges what it did, and undoes it, the TTL included. What that costs is measured with the
 * stand-ins and subtracted.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "lib/wire.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

/* Set before loading. */
const volatile __u32 pushed;           /* bytes by which the target lengthens the head */
const volatile __u32 expected_verdict; /* enum xdp_action */
const volatile __u32 first_backend;    /* last four bytes of the first backend's address, host order */
const volatile __u32 backends;         /* how many follow each other from there on */
const volatile __u64 ethernet_start;   /* the first 8 bytes of the frame, as they lie there */
const volatile __u32 ethernet_middle;  /* the next 4 */
const volatile __u16 ethernet_type;    /* the last 2 */
const volatile __u32 aging_at;    /* where in the frame the 4 bytes lie that forwarding changes: the TTL */
const volatile __u32 aging;       /* what they were, as they lie there */
const volatile __u32 outer_ip;    /* bytes of the IP header whose destination it chooses; 0: of none */
const volatile __u32 translated;  /* IPv4: the target changes destination, ports and the checksum of TCP */
const volatile __u32 destination; /* what they were, as they lie there */
const volatile __u32 ports;
const volatile __u32 checksum; /* the word that begins with it */
const volatile __u32
	flows; /* IPv4: runs take turns through so many, a power of two; 1: all are as the frame */

__u32 turn;      /* of the flow that the next run is of */
__u64 surprises; /* runs with another verdict, or another outer destination than a backend's */

static __noinline int call_target(struct xdp_md *ctx)
{
	int verdict = XDP_ABORTED;

	bpf_tail_call(ctx, &target, 0);
	/* The target returns to our caller: the compiler must not believe that this constant does. */
	asm volatile("" : "+r"(verdict));
	return verdict;
}

/* The destination, whose last four bytes lie at the end of the IP header in both families. */
static __always_inline int is_to_backend(void *data, void *end)
{
	__u8 *last = data + sizeof(struct phx_ethernet) + outer_ip - 4;

	if ((void *)last + 4 > end)
		return 0;
	return PHX_SWAP32(phx_load32(last)) - first_backend < backends;
}

/* packet/wrapper.cpp has the same as vary(). */
static __always_inline int vary(struct xdp_md *ctx)
{
	__u8 *frame = (void *)(long)ctx->data;
	__u32 flow = turn++ & (flows - 1);

	if ((void *)(frame + 36) > (void *)(long)ctx->data_end)
		return 0;
	*(phx_wire16 *)(frame + 28) = PHX_SWAP16(flow >> 16); /* the lower half of the client's address */
	*(phx_wire16 *)(frame + 34) = PHX_SWAP16(flow);       /* its port */
	return 1;
}

static __always_inline int translate_back(struct xdp_md *ctx)
{
	struct phx_ipv4 *ip = (void *)(long)ctx->data + sizeof(struct phx_ethernet);
	struct phx_tcp *tcp = (void *)(ip + 1);

	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return 0;
	ip->destination = destination;
	phx_store32(tcp, ports);
	phx_store32(&tcp->checksum, checksum);
	return 1;
}

static __always_inline int restore(struct xdp_md *ctx)
{
	struct phx_ethernet *ethernet;

	if (pushed && bpf_xdp_adjust_head(ctx, pushed))
		return 0;
	ethernet = (void *)(long)ctx->data;
	if ((void *)ethernet + aging_at + sizeof(aging) > (void *)(long)ctx->data_end)
		return 0;
	phx_store32((void *)ethernet + aging_at, aging);
	phx_store64(ethernet->destination, ethernet_start);
	phx_store32(ethernet->source + 2, ethernet_middle);
	ethernet->type = ethernet_type;
	if (translated && !translate_back(ctx))
		return 0;
	return flows <= 1 || vary(ctx);
}

SEC("xdp")
int wrapper(struct xdp_md *ctx)
{
	int verdict = call_target(ctx);

	if (verdict != (int)expected_verdict)
		surprises++;
	if (outer_ip && !is_to_backend((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		surprises++;
	return restore(ctx) ? verdict : XDP_ABORTED;
}

/* The yardstick: what any program that sends a packet back must do. */
static __always_inline int swap_and_send(struct xdp_md *ctx)
{
	phx_wire16 *word = (void *)(long)ctx->data;

	if ((void *)(word + 7) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	for (int i = 0; i < 3; i++) {
		__u16 kept = word[i];

		word[i] = word[i + 3];
		word[i + 3] = kept;
	}
	return XDP_TX;
}

SEC("xdp")
int trivial_tx(struct xdp_md *ctx)
{
	return swap_and_send(ctx);
}

/* Stand-ins for an encapsulating target: they change the head as it does, and nothing else. */
SEC("xdp")
int push_once(struct xdp_md *ctx)
{
	if (pushed && bpf_xdp_adjust_head(ctx, -(int)pushed))
		return XDP_ABORTED;
	return swap_and_send(ctx);
}

SEC("xdp")
int push_twice(struct xdp_md *ctx)
{
	if (pushed &&
	    (bpf_xdp_adjust_head(ctx, -(int)(pushed / 2)) || bpf_xdp_adjust_head(ctx, -(int)(pushed / 2))))
		return XDP_ABORTED;
	return swap_and_send(ctx);
}

char _license[] SEC("license") = "Dual BSD/GPL";

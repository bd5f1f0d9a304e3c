// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Makes the agent repeatable: calls it, judges its verdict, and puts the headers back that it took off or
 * wrote over. What that costs is measured with the stand-ins and subtracted.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "lib/wire.h"

#define MOST_WORDS 24 /* of 8 bytes: the headers of a frame, rounded up */
#define TOUCHED    9
#define FIRST_PORT 41000u /* of the flows */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

/* Set before loading. */
const volatile __u32 pulled;           /* bytes by which the target shortens the head, even */
const volatile __u32 expected_verdict; /* enum xdp_action */
const volatile __u32 words;            /* of headers */
const volatile __u64 headers[MOST_WORDS];
const volatile __u32 touched[TOUCHED]; /* bytes from the start of the frame on, a field of each header */
const volatile __u32 port_at;          /* byte of the inner source port, where flows vary, else 0 */
const volatile __u32 port_mask;        /* how many, less one */

__u64 surprises; /* runs with another verdict */
__u64 runs;

static __noinline int call_target(struct xdp_md *ctx)
{
	int verdict = XDP_ABORTED;

	bpf_tail_call(ctx, &target, 0);
	/* The target returns to our caller: the compiler must not believe that this constant does. */
	asm volatile("" : "+r"(verdict));
	return verdict;
}

/* The next flow. */
static __always_inline int vary(struct xdp_md *ctx)
{
	__u8 *port = (void *)(long)ctx->data + port_at;
	__u32 number = FIRST_PORT + (runs++ & port_mask);

	if (port + 2 > (__u8 *)(long)ctx->data_end)
		return 0;
	port[0] = (__u8)(number >> 8);
	port[1] = (__u8)number;
	return 1;
}

static __always_inline int restore(struct xdp_md *ctx)
{
	__u8 *frame;

	if (pulled && bpf_xdp_adjust_head(ctx, -(int)pulled))
		return 0;
	frame = (void *)(long)ctx->data;
	if (frame + words * 8 > (__u8 *)(long)ctx->data_end)
		return 0;
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < MOST_WORDS; i++) {
		if (i < words)
			phx_store64(frame + i * 8, headers[i]);
	}
	return 1;
}

SEC("xdp")
int wrapper(struct xdp_md *ctx)
{
	int verdict;

	if (port_at && !vary(ctx))
		return XDP_ABORTED;
	verdict = call_target(ctx);
	if (verdict != (int)expected_verdict)
		surprises++;
	return restore(ctx) ? verdict : XDP_ABORTED;
}

/* The yardstick: a look at a field of each header that the agent looks at. */
static __always_inline int touch(struct xdp_md *ctx)
{
	__u8 *frame = (void *)(long)ctx->data;
	__u32 seen = 0;

	if (frame + words * 8 > (__u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < TOUCHED; i++)
		seen += phx_load32(frame + touched[i]);
	asm volatile("" : "+r"(seen)); /* or nobody would look */
	return XDP_PASS;
}

SEC("xdp")
int trivial_pass(struct xdp_md *ctx)
{
	return touch(ctx);
}

SEC("xdp")
int pull_once(struct xdp_md *ctx)
{
	int verdict = touch(ctx);

	if (pulled && bpf_xdp_adjust_head(ctx, (int)pulled))
		return XDP_ABORTED;
	return verdict;
}

SEC("xdp")
int pull_twice(struct xdp_md *ctx)
{
	int verdict = touch(ctx);

	if (pulled &&
	    (bpf_xdp_adjust_head(ctx, (int)(pulled / 2)) || bpf_xdp_adjust_head(ctx, (int)(pulled / 2))))
		return XDP_ABORTED;
	return verdict;
}

char _license[] SEC("license") = "Dual BSD/GPL";

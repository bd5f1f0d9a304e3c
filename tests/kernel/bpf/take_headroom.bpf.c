// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Moves the frame forward in its buffer, as a driver that leaves little headroom would have received it, and
 * runs the program under test. (Metadata before the frame would take headroom too, but only 32 bytes of it on
 * Linux 6.1.)
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define ETHERNET_HEADER 14

__u32 taken; /* bytes of headroom */
__u8 frame[4096];

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

SEC("xdp")
int take_headroom(struct xdp_md *ctx)
{
	__u64 length = bpf_xdp_get_buff_len(ctx);

	if (length < ETHERNET_HEADER || length > sizeof(frame))
		return XDP_ABORTED;
	if (bpf_xdp_load_bytes(ctx, 0, frame, length) || bpf_xdp_adjust_head(ctx, -(int)taken) ||
	    bpf_xdp_store_bytes(ctx, 0, frame, length) || bpf_xdp_adjust_tail(ctx, -(int)taken))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &under_test, 0);
	return XDP_ABORTED;
}

char _license[] SEC("license") = "Dual BSD/GPL";

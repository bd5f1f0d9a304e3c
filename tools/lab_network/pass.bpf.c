// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Passes every packet. On veth, what the peer sends by XDP_TX or redirect is delivered only to an interface
 * that has an XDP program itself; without this one the loss is silent.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int lab_pass(struct xdp_md *context)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";

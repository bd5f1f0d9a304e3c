// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The packet path: spreads the packets of services over their backends. phalanx.h says what every map means.
 * Needs nothing but the kernel: whoever filled the maps may be gone.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "balancer/rare.h"
#include "balancer/serve.h"

SEC("xdp")
int phalanx_xdp(struct xdp_md *ctx)
{
	struct phx_packet packet;
	struct phx_vip *vip;

	if (!phx_parse_plain((void *)(long)ctx->data, (void *)(long)ctx->data_end, &packet))
		return phalanx_any(ctx);
	if (!may_be_known(packet.flow.to.address))
		return with_nat && may_be_known(packet.flow.source) ? phalanx_return(ctx, 0) : XDP_PASS;
	vip = bpf_map_lookup_elem(&vips, &packet.flow.to);
	if (!vip)
		return phalanx_any(ctx);
	return serve(ctx, &packet, vip->service, 0, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";

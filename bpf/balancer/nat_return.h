/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way back of nat: what a backend answers, and what ICMP says to a client about packets that a backend
 * got, leaves as if from the VIP. Stateless: a backend's address and port belong to one VIP and port.
 */
#ifndef PHALANX_BALANCER_NAT_RETURN_H
#define PHALANX_BALANCER_NAT_RETURN_H

#include "balancer/fragments.h"
#include "balancer/nat.h"
#include "lib/parse_rare.h"

#define IPV6_FLOW_INFO 0x0fffffffu /* traffic class and flow label */

/*
 * The filter knows nat backends as well as VIPs. It spares foreign packets two look-ups; a clear bit is
 * certain.
 */
static __always_inline int may_be_known(const __u8 *address)
{
	__u32 key = 0;
	struct phx_vip_filter *filter = bpf_map_lookup_elem(&vip_filter, &key);
	__u32 bit = phx_vip_filter_bit(phx_load64(address), phx_load64(address + 8));

	return filter && filter->words[bit / 64] >> bit % 64 & 1;
}

/*
 * Whether a frame for no VIP may be an answer: by its source, or because it is ICMP, which a router between
 * may have sent. offset: bytes before the IP header of this family.
 */
static __noinline int may_return(struct xdp_md *ctx, __u32 offset, __u8 family)
{
	void *ip = (void *)(long)ctx->data + (offset & 0xff);
	void *end = (void *)(long)ctx->data_end;
	struct phx_ipv4 *ipv4 = ip;
	struct phx_ipv6 *ipv6 = ip;
	__u64 source[2] = {};

	if (family == PHX_FAMILY_IPV4) {
		if ((void *)(ipv4 + 1) > end)
			return 0;
		source[0] = ipv4->source;
		return ipv4->protocol == PHX_PROTOCOL_ICMP || may_be_known((__u8 *)source);
	}
	if ((void *)(ipv6 + 1) > end)
		return 0;
	source[0] = ipv6->source[0];
	source[1] = ipv6->source[1];
	return ipv6->next_header == PHX_PROTOCOL_ICMPV6 || may_be_known((__u8 *)source);
}

/* The VIP and port that the packet's source stands for, if it is a nat backend's. In a frame that is gone
 * before the packet is translated. */
static __noinline struct phx_nat_source *find_source(const struct phx_packet *packet, __u16 port,
						     __u8 protocol)
{
	struct phx_vip_key key __attribute__((aligned(8)));

	phx_store64(key.address, phx_load64(packet->flow.source));
	phx_store64(key.address + 8, phx_load64(packet->flow.source + 8));
	key.port = port;
	key.protocol = protocol;
	key.family = packet->flow.to.family;
	return bpf_map_lookup_elem(&nat_sources, &key);
}

/* A later fragment has no ports; the first one said whose datagram it is. */
static __always_inline struct phx_nat_source *find_source_of_fragment(const struct phx_packet *packet,
								      const struct phx_chain *chain)
{
	struct phx_datagram_owner *owner = recorded(packet, chain);
	struct phx_backend *backend;
	__u32 entry;

	if (!owner)
		return 0;
	entry = owner->entry;
	backend = bpf_map_lookup_elem(&backends, &entry);
	return backend ? find_source(packet, backend->port, owner->protocol) : 0;
}

/* How the kernel would route the translated packet. Returns BPF_FIB_LKUP_RET_*, or an error below 0. */
static __always_inline long route(struct xdp_md *ctx, const struct phx_packet *packet,
				  const struct phx_nat_source *source, struct bpf_fib_lookup *way)
{
	void *ip = (void *)(long)ctx->data + sizeof(struct phx_ethernet);

	way->ifindex = ctx->ingress_ifindex;
	way->tot_len = packet->length;
	if (packet->part != PHX_PART_LATER && !packet->quoted) {
		way->l4_protocol = packet->flow.to.protocol;
		way->sport = source->port;
		way->dport = packet->flow.to.port;
	}
	if (packet->flow.to.family == PHX_FAMILY_IPV4) {
		way->family = KERNEL_FAMILY_IPV4;
		way->tos = packet->traffic_class;
		way->ipv4_src = phx_load32(source->vip);
		way->ipv4_dst = phx_load32(packet->flow.to.address);
		return bpf_fib_lookup(ctx, way, sizeof(*way), 0);
	}
	if (ip + sizeof(__u32) > (void *)(long)ctx->data_end)
		return -1;
	way->family = KERNEL_FAMILY_IPV6;
	way->flowinfo = phx_load32(ip) & PHX_SWAP32(IPV6_FLOW_INFO);
	phx_store64(way->ipv6_src, phx_load64(source->vip));
	phx_store64(way->ipv6_src + 2, phx_load64(source->vip + 8));
	phx_store64(way->ipv6_dst, phx_load64(packet->flow.to.address));
	phx_store64(way->ipv6_dst + 2, phx_load64(packet->flow.to.address + 8));
	return bpf_fib_lookup(ctx, way, sizeof(*way), 0);
}

/* Whether routers may take the packet apart, and one of them can send it on. */
static __always_inline void read_life(struct xdp_md *ctx, __u8 family, int *may_be_cut, int *lives)
{
	struct phx_ipv4 *ipv4 = (void *)(long)ctx->data + sizeof(struct phx_ethernet);
	struct phx_ipv6 *ipv6 = (void *)ipv4;

	*may_be_cut = 0;
	*lives = 0;
	if ((void *)(ipv4 + 1) > (void *)(long)ctx->data_end)
		return;
	if (family == PHX_FAMILY_IPV4)
		*may_be_cut = !(ipv4->fragment & PHX_SWAP16(PHX_IPV4_DONT_FRAGMENT));
	*lives = (family == PHX_FAMILY_IPV4 ? ipv4->ttl : ipv6->hop_limit) > 1;
}

/* What a router does to the packet that it sends on. */
static __always_inline int send_on(struct xdp_md *ctx, __u8 family, const struct bpf_fib_lookup *way)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	struct phx_ipv4 *ipv4 = (void *)(ethernet + 1);
	struct phx_ipv6 *ipv6 = (void *)(ethernet + 1);

	if ((void *)(ipv4 + 1) > (void *)(long)ctx->data_end)
		return 0;
	__builtin_memcpy(ethernet->destination, way->dmac, sizeof(way->dmac));
	__builtin_memcpy(ethernet->source, way->smac, sizeof(way->smac));
	if (family == PHX_FAMILY_IPV4)
		phx_age_ipv4(ipv4);
	else
		ipv6->hop_limit--;
	return 1;
}

/*
 * Translated, sent on where the kernel would. What the kernel alone can do is left to it, translated: to ask
 * for the client's neighbour, to fragment, to encapsulate, to put on a tag, to send through an interface that
 * takes no redirected frames. What it would answer by an error is left to it as it is, so that the backend
 * gets the error and understands it; likewise what is for the node itself, such as the answers to its probes.
 * Of a tagged frame the interface that it came in by is the tag's parent, which need not forward. Returns the
 * verdict, with DELIVERED if the packet was translated.
 */
static __noinline int return_packet(struct xdp_md *ctx, const struct phx_packet *packet,
				    const struct phx_nat_source *source, int is_tagged)
{
	struct bpf_fib_lookup way = {};
	long found = route(ctx, packet, source, &way);
	__u8 family = packet->flow.to.family;
	int may_be_cut, lives;
	int verdict = XDP_PASS;

	read_life(ctx, family, &may_be_cut, &lives);
	if (!lives ||
	    !(found == BPF_FIB_LKUP_RET_SUCCESS || found == BPF_FIB_LKUP_RET_NO_NEIGH ||
	      found == BPF_FIB_LKUP_RET_UNSUPP_LWT || (found == BPF_FIB_LKUP_RET_FWD_DISABLED && is_tagged) ||
	      (found == BPF_FIB_LKUP_RET_FRAG_NEEDED && may_be_cut)))
		return counted(PHX_COUNTER_RETURN_UNTOUCHED, XDP_PASS);
	if (!phalanx_translate(ctx, packet, PLACE_OF_VIP(source), PHX_END_SOURCE))
		return counted(PHX_COUNTER_NO_HEADROOM_DROPPED, XDP_DROP); /* verifier: it cannot happen */
	if (found == BPF_FIB_LKUP_RET_SUCCESS && !is_tagged)
		verdict = way.ifindex == ctx->ingress_ifindex
				  ? XDP_TX
				  : bpf_redirect_map(&interfaces, way.ifindex, XDP_PASS);
	if (verdict == XDP_PASS)
		return counted(PHX_COUNTER_RETURNED_BY_KERNEL, XDP_PASS | DELIVERED);
	if (!send_on(ctx, family, &way))
		return counted(PHX_COUNTER_NO_HEADROOM_DROPPED, XDP_DROP); /* verifier: it cannot happen */
	return counted(PHX_COUNTER_RETURNED, verdict | DELIVERED);
}

/* A frame without tags, of no VIP; is_tagged: it had some. */
__noinline int phalanx_return(struct xdp_md *ctx, __u32 is_tagged)
{
	struct phx_packet packet = {};
	struct phx_chain chain = {};
	enum phx_kind kind = phx_parse_rare(ctx, &chain, &packet);
	struct phx_nat_source *source = 0;
	int verdict;

	if (kind == PHX_KIND_FRAGMENT)
		source = find_source_of_fragment(&packet, &chain);
	else if ((kind == PHX_KIND_FLOW || kind == PHX_KIND_ERROR) && may_be_known(packet.flow.source))
		source = find_source(&packet, packet.flow.source_port, packet.flow.to.protocol);
	if (!source)
		return XDP_PASS;
	verdict = return_packet(ctx, &packet, source, is_tagged);
	if (packet.part == PHX_PART_FIRST && verdict & DELIVERED)
		record(&packet, &chain, source->service, source->entry, 0);
	return verdict & ~DELIVERED;
}

#endif /* PHALANX_BALANCER_NAT_RETURN_H */

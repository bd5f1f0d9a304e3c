/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A packet of an unknown flow goes to its next hop, in the same GUE. */
#ifndef PHALANX_AGENT_PASS_ON_H
#define PHALANX_AGENT_PASS_ON_H

#include "agent/maps.h"
#include "lib/encapsulate.h"
#include "lib/second_chance.h"
#include "lib/ttl.h"
#include "lib/tunnel.h"

/* The caller is to take the packet itself; above every verdict. */
#define TAKE 0x100

/* As the kernel's socket headers have them, which cannot be included here. */
#define KERNEL_FAMILY_IPV4 2
#define KERNEL_FAMILY_IPV6 10

/* Where a packet goes, and how. */
struct passing {
	struct phx_agent_node hop;
	struct phx_agent_node own; /* the outer source that it gets; until then, where it came to */
	__u32 private_at;          /* where in the frame the private data lies */
	__u32 outer_family;        /* of the header that it came in */
	__u32 by_fib; /* the next lines are of the kernel's FIB; else it goes back whence it came */
	__u32 interface;
	__u64 macs[2]; /* destination and source, 12 bytes */
};

/* ------------------------------------------------------------------------------------------------- whereto
 */

/* The address that the packet came to. Returns its TTL, or 0. */
static __always_inline __u32 read_outer(struct xdp_md *ctx, struct passing *passing)
{
	const struct phx_ipv4 *ipv4 = (void *)(long)ctx->data + sizeof(struct phx_ethernet);
	const struct phx_ipv6 *ipv6 = (const void *)ipv4;
	void *end = (void *)(long)ctx->data_end;

	if (passing->outer_family == PHX_FAMILY_IPV4) {
		if ((void *)(ipv4 + 1) > end)
			return 0;
		phx_hop(&passing->own, ipv4->destination, 0, PHX_FAMILY_IPV4);
		return ipv4->ttl;
	}
	if ((void *)(ipv6 + 1) > end)
		return 0;
	phx_hop(&passing->own, ipv6->destination[0], ipv6->destination[1], PHX_FAMILY_IPV6);
	return ipv6->hop_limit;
}

/* Returns 0 where this host has no address that the next hop could answer to. */
static __always_inline int choose_source(struct passing *passing)
{
	__u8 family = passing->hop.family;

	if (family == passing->own.family)
		return 1;
	if (family == PHX_FAMILY_IPV4)
		phx_hop(&passing->own, own_ipv4, 0, family);
	else
		phx_hop(&passing->own, own_ipv6[0], own_ipv6[1], family);
	return phx_load64(passing->own.address) || phx_load64(passing->own.address + 8);
}

/*
 * The kernel's FIB knows the way only where the host forwards. Where it does not, or nobody has asked for the
 * neighbour yet, the packet goes back to the router or node that it came from, which knows.
 * Returns 0 for what is too big for the way.
 */
static __noinline int find_way(struct xdp_md *ctx, struct passing *passing, __u32 length)
{
	struct bpf_fib_lookup way = {};
	int done;

	way.ifindex = ctx->ingress_ifindex;
	way.l4_protocol = PHX_PROTOCOL_UDP;
	way.tot_len = (__u16)length;
	if (passing->hop.family == PHX_FAMILY_IPV4) {
		way.family = KERNEL_FAMILY_IPV4;
		way.ipv4_src = phx_load32(passing->own.address);
		way.ipv4_dst = phx_load32(passing->hop.address);
	} else {
		way.family = KERNEL_FAMILY_IPV6;
		__builtin_memcpy(way.ipv6_src, passing->own.address, sizeof(way.ipv6_src));
		__builtin_memcpy(way.ipv6_dst, passing->hop.address, sizeof(way.ipv6_dst));
	}
	done = bpf_fib_lookup(ctx, &way, sizeof(way), 0);
	if (done == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return 0;
	passing->by_fib = done == BPF_FIB_LKUP_RET_SUCCESS;
	passing->interface = way.ifindex;
	__builtin_memcpy(passing->macs, way.dmac, sizeof(way.dmac));
	__builtin_memcpy((__u8 *)passing->macs + sizeof(way.dmac), way.smac, sizeof(way.smac));
	return 1;
}

/* --------------------------------------------------------------------------------------------- the new frame
 */

/*
 * One more hop has had the packet. Returns what that changes in sums that cover it, or ~0 where the frame
 * ends before.
 */
static __always_inline __u64 use_hop(struct xdp_md *ctx, __u32 private_at)
{
	struct phx_hops *hops = (void *)(long)ctx->data + (private_at & 0xff);
	phx_wire16 *word = (phx_wire16 *)&hops->next; /* and count */
	__u16 before;

	if ((void *)(hops + 1) > (void *)(long)ctx->data_end)
		return ~0ull;
	before = *word;
	hops->next++;
	return phx_change16(before, *word);
}

/* A checksum of 0 says that there is none, and stays (RFC 768, RFC 6935). */
static __always_inline void update_udp(struct phx_udp *udp, __u64 change)
{
	__u16 checksum = udp->checksum;

	if (!checksum)
		return;
	checksum = phx_checksum_after(checksum, change);
	udp->checksum = checksum ? checksum : 0xffff;
}

/* Same family: other addresses, one hop older. change: of what else the UDP checksum covers. */
static __always_inline int readdress_ipv4(struct xdp_md *ctx, const struct passing *passing, __u64 change)
{
	struct phx_ipv4 *ip = (void *)(long)ctx->data + sizeof(struct phx_ethernet);
	struct phx_udp *udp = (void *)(ip + 1);
	__u32 source = phx_load32(passing->own.address), destination = phx_load32(passing->hop.address);
	__u64 addresses;

	if ((void *)(udp + 1) > (void *)(long)ctx->data_end)
		return 0;
	addresses = phx_change32(ip->source, source) + phx_change32(ip->destination, destination);
	update_udp(udp, addresses + change);
	ip->checksum = phx_checksum_after(ip->checksum, addresses);
	ip->source = source;
	ip->destination = destination;
	phx_age_ipv4(ip);
	return 1;
}

static __always_inline int readdress_ipv6(struct xdp_md *ctx, const struct passing *passing, __u64 change)
{
	struct phx_ipv6 *ip = (void *)(long)ctx->data + sizeof(struct phx_ethernet);
	struct phx_udp *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > (void *)(long)ctx->data_end)
		return 0;
	for (int i = 0; i < 2; i++) {
		__u64 source = phx_load64(passing->own.address + 8 * i);
		__u64 destination = phx_load64(passing->hop.address + 8 * i);

		change += phx_change64(ip->source[i], source) + phx_change64(ip->destination[i], destination);
		ip->source[i] = source;
		ip->destination[i] = destination;
	}
	update_udp(udp, change);
	ip->hop_limit--;
	return 1;
}

/* What one outer header hands to another. */
struct outer {
	__u64 macs; /* the first 8 bytes of the frame */
	__u32 rest; /* the next 4 */
	__u32 payload;
	__u8 traffic_class;
	__u8 ttl;
};

/* Takes the packet out of IPv4, and puts it into IPv6 as far as that depends on nobody. */
static __always_inline int leave_ipv4(struct xdp_md *ctx, struct outer *outer)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	struct phx_ipv4 *ip = (void *)(ethernet + 1);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return 0;
	outer->macs = phx_load64(ethernet->destination);
	outer->rest = phx_load32(ethernet->source + 2);
	outer->payload = PHX_SWAP16(ip->length) - (__u32)sizeof(*ip);
	outer->traffic_class = ip->traffic_class;
	outer->ttl = ip->ttl - 1;
	return !bpf_xdp_adjust_head(ctx, (int)sizeof(*ip) - (int)sizeof(struct phx_ipv6));
}

static __always_inline int leave_ipv6(struct xdp_md *ctx, struct outer *outer)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	struct phx_ipv6 *ip = (void *)(ethernet + 1);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return 0;
	outer->macs = phx_load64(ethernet->destination);
	outer->rest = phx_load32(ethernet->source + 2);
	outer->payload = PHX_SWAP16(ip->payload_length);
	outer->traffic_class = (__u8)(PHX_SWAP32(ip->version_class_label) >> 20);
	outer->ttl = ip->hop_limit - 1;
	return !bpf_xdp_adjust_head(ctx, (int)sizeof(*ip) - (int)sizeof(struct phx_ipv4));
}

/* The UDP checksum of a header that this host made itself is 0, as nodes have it (lib/encapsulate.h). */
static __always_inline int enter_ipv6(struct xdp_md *ctx, const struct passing *passing,
				      const struct outer *outer)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	struct phx_ipv6 *ip = (void *)(ethernet + 1);
	struct phx_udp *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > (void *)(long)ctx->data_end)
		return 0;
	phx_store64(ethernet->destination, outer->macs);
	phx_store32(ethernet->source + 2, outer->rest);
	ethernet->type = PHX_SWAP16(PHX_ETHERTYPE_IPV6);
	phx_write_outer_ipv6(ip, outer->traffic_class, outer->payload, PHX_PROTOCOL_UDP,
			     (__u64)PHX_SWAP16(udp->source_port) << 44);
	ip->hop_limit = outer->ttl;
	for (int i = 0; i < 2; i++) {
		ip->source[i] = phx_load64(passing->own.address + 8 * i);
		ip->destination[i] = phx_load64(passing->hop.address + 8 * i);
	}
	udp->checksum = 0;
	return 1;
}

static __always_inline int enter_ipv4(struct xdp_md *ctx, const struct passing *passing,
				      const struct outer *outer)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	struct phx_ipv4 *ip = (void *)(ethernet + 1);
	struct phx_udp *udp = (void *)(ip + 1);
	__u16 before;

	if ((void *)(udp + 1) > (void *)(long)ctx->data_end)
		return 0;
	phx_store64(ethernet->destination, outer->macs);
	phx_store32(ethernet->source + 2, outer->rest);
	ethernet->type = PHX_SWAP16(PHX_ETHERTYPE_IPV4);
	phx_write_outer_ipv4(ip, outer->traffic_class, outer->payload, PHX_PROTOCOL_UDP,
			     phx_load32(passing->own.address), phx_load32(passing->hop.address));
	before = *(phx_wire16 *)&ip->ttl;
	ip->ttl = outer->ttl;
	ip->checksum = phx_checksum_update(ip->checksum, before, *(phx_wire16 *)&ip->ttl);
	udp->checksum = 0;
	return 1;
}

/* Another family: another header, which has what the first one had. */
static __noinline int change_family(struct xdp_md *ctx, const struct passing *passing)
{
	struct outer outer = {};

	if (passing->outer_family == PHX_FAMILY_IPV4)
		return leave_ipv4(ctx, &outer) && enter_ipv6(ctx, passing, &outer);
	return leave_ipv6(ctx, &outer) && enter_ipv4(ctx, passing, &outer);
}

static __noinline int readdress(struct xdp_md *ctx, const struct passing *passing)
{
	__u64 change = use_hop(ctx, passing->private_at);

	if (change == ~0ull)
		return 0;
	if (passing->hop.family != passing->outer_family)
		return change_family(ctx, passing);
	return passing->outer_family == PHX_FAMILY_IPV4 ? readdress_ipv4(ctx, passing, change)
							: readdress_ipv6(ctx, passing, change);
}

static __always_inline int send(struct xdp_md *ctx, const struct passing *passing)
{
	struct phx_ethernet *ethernet = (void *)(long)ctx->data;
	__u64 first;
	__u32 rest;

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return counted(PHX_AGENT_COUNTER_NO_ROOM_DROPPED, XDP_DROP);
	if (passing->by_fib) {
		phx_store64(ethernet->destination, passing->macs[0]);
		phx_store32(ethernet->source + 2, (__u32)passing->macs[1]);
		if (passing->interface != ctx->ingress_ifindex)
			return counted(PHX_AGENT_COUNTER_PASSED_ON, bpf_redirect(passing->interface, 0));
		return counted(PHX_AGENT_COUNTER_PASSED_ON, XDP_TX);
	}
	first = phx_load64(ethernet->destination);
	rest = phx_load32(ethernet->source + 2);
	phx_store64(ethernet->destination, first >> 48 | (__u64)rest << 16 | first << 48);
	phx_store32(ethernet->source + 2, (__u32)(first >> 16));
	return counted(PHX_AGENT_COUNTER_PASSED_ON, XDP_TX);
}

/* Bytes of the IP packet that leaves. */
static __always_inline __u32 length_of(struct xdp_md *ctx, const struct passing *passing)
{
	__u32 length = ctx->data_end - ctx->data - (__u32)sizeof(struct phx_ethernet);

	if (passing->hop.family == passing->outer_family)
		return length;
	return passing->hop.family == PHX_FAMILY_IPV6
		       ? length + (__u32)(sizeof(struct phx_ipv6) - sizeof(struct phx_ipv4))
		       : length - (__u32)(sizeof(struct phx_ipv6) - sizeof(struct phx_ipv4));
}

/* Returns a verdict, or TAKE when the packet, untouched, ends here after all. */
static __noinline int pass_on(struct xdp_md *ctx, const struct phx_tunnel *tunnel, __u32 private_at)
{
	struct passing passing = {};
	const __u8 *private = (void *)(long)ctx->data + (private_at & 0xff);
	__u32 next, ttl;

	if (!phx_read_hop(private, (void *)(long)ctx->data_end, &passing.hop))
		return counted(PHX_AGENT_COUNTER_HOPS_CUT_DROPPED, XDP_DROP);
	next = ((const struct phx_hops *)private)->next;
	passing.private_at = private_at;
	passing.outer_family = tunnel->source.family;
	ttl = read_outer(ctx, &passing);
	if (phx_is_loop(&passing.hop, &passing.own, &tunnel->source, next))
		return counted(PHX_AGENT_COUNTER_ACCEPTED_LOOP, TAKE);
	if (!bpf_map_lookup_elem(&agent_peers, &passing.hop))
		return counted(PHX_AGENT_COUNTER_ACCEPTED_NOT_PEER, TAKE);
	if (!choose_source(&passing))
		return counted(PHX_AGENT_COUNTER_ACCEPTED_NO_ADDRESS, TAKE);
	if (ttl <= 1)
		return counted(PHX_AGENT_COUNTER_HOP_TTL_DROPPED, XDP_DROP);
	if (!find_way(ctx, &passing, length_of(ctx, &passing)))
		return counted(PHX_AGENT_COUNTER_HOP_TOO_BIG_DROPPED, XDP_DROP);
	if (!readdress(ctx, &passing))
		return counted(PHX_AGENT_COUNTER_NO_ROOM_DROPPED, XDP_DROP);
	return send(ctx, &passing);
}

#endif /* PHALANX_AGENT_PASS_ON_H */

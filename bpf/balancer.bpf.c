// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The packet path: spreads the packets of services over their backends. phalanx.h says what every map means.
 * Needs nothing but the kernel: whoever filled the maps may be gone.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "balancer_maps.h"
#include "lib/echo.h"
#include "lib/encapsulate.h"
#include "lib/parse.h"
#include "lib/reject.h"

#define NS_PER_S 1000000000ull

static __always_inline int counted(enum phx_counter counter, int verdict)
{
	__u32 key = counter;
	__u64 *count = bpf_map_lookup_elem(&counters, &key);

	if (count)
		(*count)++;
	return verdict;
}

static __always_inline void count_traffic(void *map, __u32 key, __u32 bytes)
{
	struct phx_traffic *traffic = bpf_map_lookup_elem(map, &key);

	if (traffic) {
		traffic->packets++;
		traffic->bytes += bytes;
	}
}

/* A look-up in `vips` calls into the kernel three times; most foreign packets are spared it by one load. */
static __always_inline int may_be_vip(const struct phx_flow *flow)
{
	__u32 key = 0;
	struct phx_vip_filter *filter = bpf_map_lookup_elem(&vip_filter, &key);
	__u32 bit = phx_vip_filter_bit(phx_load64(flow->to.address), phx_load64(flow->to.address + 8));

	return filter && filter->words[bit / 64] >> bit % 64 & 1;
}

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

#define SAME_ORDER(kind, counter)                                                                            \
	PHX_ASSERT(PHX_KIND_##kind - PHX_KIND_FLOW == PHX_COUNTER_##counter - PHX_COUNTER_UNMATCHED_PASSED,  \
		   "kinds follow the order of their counters")
SAME_ORDER(PROTOCOL, PROTOCOL_PASSED);
SAME_ORDER(FRAGMENT, FRAGMENT_PASSED);
SAME_ORDER(OPTIONS, OPTIONS_PASSED);
SAME_ORDER(EXTENSION, EXTENSION_PASSED);
SAME_ORDER(VLAN, VLAN_PASSED);
SAME_ORDER(MALFORMED, MALFORMED_PASSED);

/*
 * What no service takes. If it is for a VIP nevertheless, echo is answered, the rest is counted and left to
 * the node's kernel. Parses anew, in a frame of its own: to carry the kind and the packet over from the path
 * would cost every packet of a service registers and stores.
 */
static __noinline int unserved(struct xdp_md *ctx)
{
	struct phx_packet packet;
	enum phx_kind kind = phx_parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &packet);
	__u8 family;

	if (kind == PHX_KIND_FOREIGN || !may_be_vip(&packet.flow))
		return XDP_PASS;
	family = packet.flow.to.family;
	phx_store64(&packet.flow.to.port, phx_flow_tail(0, 0, family));
	if (!bpf_map_lookup_elem(&vips, &packet.flow.to))
		return XDP_PASS;
	if (kind == PHX_KIND_ECHO) {
		if (echo(ctx, family))
			return counted(PHX_COUNTER_ECHO_ANSWERED, XDP_TX);
		kind = PHX_KIND_PROTOCOL;
	}
	return counted(PHX_COUNTER_UNMATCHED_PASSED + (kind - PHX_KIND_FLOW), XDP_PASS);
}

struct choice {
	struct phx_backend *backend;
	__u64 state; /* read once, so that the up bit and the next hop are of one moment */
	__u32 entry;
};

/* An index that names no entry is an entry that is not up. */
static __always_inline int is_up(struct choice *choice, __u16 entry)
{
	__u32 key = entry; /* of its own, so that the choice stays in registers */

	choice->entry = entry;
	choice->backend = bpf_map_lookup_elem(&backends, &key);
	if (!choice->backend)
		return 0;
	choice->state = *(volatile __u64 *)&choice->backend->state;
	return choice->state & PHX_STATE_UP;
}

static __always_inline struct phx_slot read_slot(const struct phx_slot *slot)
{
	union {
		__u64 word;
		struct phx_slot row;
	} read = {.word = *(volatile __u64 *)slot};

	return read.row;
}

static __always_inline int choose(struct choice *choice, struct phx_slot slot)
{
	if (is_up(choice, slot.primary))
		return 1;
	if (!is_up(choice, slot.backup))
		return 0;
	return counted(PHX_COUNTER_BY_BACKUP, 1);
}

static __always_inline int is_tracked(const struct phx_service *service, struct phx_slot slot)
{
	__u32 flag = slot.flags & PHX_SLOT_TRACKED;

	if (!(flag | service->track)) /* one branch for nearly all packets */
		return 0;
	return service->track == PHX_TRACK_ALL || (flag && service->track == PHX_TRACK_AUTO);
}
PHX_ASSERT(PHX_TRACK_AUTO == 0, "a slot without flag, in a service without wishes, is all zeros");

/* What the choice for a packet of a tracked slot depends on, besides the flow. */
struct tracked {
	struct phx_slot slot;
	__u32 now_s;
	__u8 tcp_flags; /* of UDP: 0 */
	__u8 opens;     /* the first packet of a flow, or one that may be */
	__u8 begins;    /* the first packet of a flow: a SYN */
	__u8 on_down;   /* enum phx_on_down */
};

static __always_inline __u8 tcp_flags(struct xdp_md *ctx, __u8 family)
{
	__u32 ip = family == PHX_FAMILY_IPV4 ? sizeof(struct phx_ipv4) : sizeof(struct phx_ipv6);
	struct phx_tcp *tcp = (void *)(long)ctx->data + sizeof(struct phx_ethernet) + ip;

	return (void *)(tcp + 1) <= (void *)(long)ctx->data_end ? tcp->flags : 0;
}

/*
 * Whether the flow stays with the entry that the flow table names. A connection that only begins has nothing
 * to lose by going elsewhere than to an entry that is on its way out.
 */
static __always_inline int stays(struct choice *choice, __u16 entry, const struct tracked *tracked)
{
	if (is_up(choice, entry))
		return !(tracked->begins && choice->state & PHX_STATE_DRAINING);
	return choice->backend && choice->state & PHX_STATE_REACHABLE && !tracked->begins &&
	       tracked->on_down == PHX_ON_DOWN_KEEP;
}

static __always_inline __u8 closing(const struct tracked *tracked)
{
	return tracked->tcp_flags & (PHX_TCP_FIN | PHX_TCP_RST) && !tracked->begins ? PHX_FLOW_CLOSING : 0;
}

static __always_inline void remember(const struct phx_flow *flow, __u16 entry, const struct tracked *tracked)
{
	struct phx_flow_owner owner = {
		.entry = entry,
		.flags = closing(tracked),
		.seen_s = tracked->now_s,
	};

	if (!bpf_map_update_elem(&flows, flow, &owner, BPF_ANY))
		counted(PHX_COUNTER_REMEMBERED, 0);
}

/*
 * Written only when it changes, and field by field: the table may have given the row to another flow since it
 * was looked up, whose entry must not be overwritten. A new connection of the same addresses and ports ends
 * the closing of the old one.
 */
static __always_inline void refresh(struct phx_flow_owner *owner, const struct tracked *tracked)
{
	__u8 flags = tracked->begins ? 0 : owner->flags | closing(tracked);

	if (owner->seen_s != tracked->now_s)
		owner->seen_s = tracked->now_s;
	if (owner->flags != flags)
		owner->flags = flags;
}

/*
 * Chooses for a packet of a tracked slot, in a frame of its own, so that packets of other slots pay nothing.
 * `previous` of a slot that is tracked for the sake of its service alone says nothing of its connections.
 */
static __noinline int choose_tracked(struct choice *choice, const struct phx_flow *flow,
				     const struct tracked *tracked)
{
	struct phx_flow_owner *owner = bpf_map_lookup_elem(&flows, flow);

	if (owner && stays(choice, owner->entry, tracked)) {
		refresh(owner, tracked);
		return counted(PHX_COUNTER_BY_FLOW, 1);
	}
	if (!owner && !tracked->opens && tracked->slot.flags & PHX_SLOT_TRACKED &&
	    is_up(choice, tracked->slot.previous)) {
		remember(flow, choice->entry, tracked);
		return counted(PHX_COUNTER_BY_PREVIOUS, 1);
	}
	if (!choose(choice, tracked->slot))
		return 0;
	if (owner || tracked->opens)
		remember(flow, choice->entry, tracked);
	return 1;
}

static __always_inline int choose_by_flow(struct xdp_md *ctx, struct choice *choice,
					  const struct phx_flow *flow, const struct phx_service *service,
					  struct phx_slot slot, __u64 now_ns)
{
	struct tracked tracked = {
		.slot = slot,
		.now_s = now_ns / NS_PER_S,
		.on_down = service->on_down,
		.opens = 1,
	};
	struct choice chosen; /* its address leaves this function: that of `choice` must not, or it lived in
				 memory */

	if (flow->to.protocol == PHX_PROTOCOL_TCP) {
		tracked.tcp_flags = tcp_flags(ctx, flow->to.family);
		tracked.begins = (tracked.tcp_flags & (PHX_TCP_SYN | PHX_TCP_ACK)) == PHX_TCP_SYN;
		tracked.opens = tracked.begins;
	}
	if (!choose_tracked(&chosen, flow, &tracked))
		return 0;
	*choice = chosen;
	return 1;
}

/* An entry whose row was freed, or that never had a next hop, cannot be sent to. */
static __always_inline int choose_last_good(struct choice *choice, __u16 primary)
{
	is_up(choice, primary);
	if (!choice->backend || choice->backend->family == PHX_FAMILY_NONE ||
	    !choice->backend->next_hop[!!(choice->state & PHX_STATE_NEXT_HOP)].interface)
		return 0;
	return counted(PHX_COUNTER_LAST_GOOD, 1);
}

/* Makes the packet the backend's. Returns 0 when there is no room for the outer header. */
static __always_inline int forward(struct xdp_md *ctx, const struct phx_packet *packet,
				   const struct choice *choice, __u64 hash)
{
	const struct phx_backend *backend = choice->backend;
	const struct phx_next_hop *hop = &backend->next_hop[!!(choice->state & PHX_STATE_NEXT_HOP)];
	struct phx_ethernet *ethernet;
	int outer = 0;
	void *end;

	if (backend->forward == PHX_FORWARD_IPIP)
		outer = backend->family == PHX_FAMILY_IPV4 ? sizeof(struct phx_ipv4)
							   : sizeof(struct phx_ipv6);
	if (outer && bpf_xdp_adjust_head(ctx, -outer))
		return 0;
	ethernet = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;

	if (outer == sizeof(struct phx_ipv4)) {
		struct phx_ipv4 *ip = (void *)(ethernet + 1);

		if ((void *)(ip + 1) > end)
			return 0;
		ethernet->type = PHX_SWAP16(PHX_ETHERTYPE_IPV4);
		phx_write_outer_ipv4(ip, packet, backend, hop);
	} else if (outer) {
		struct phx_ipv6 *ip = (void *)(ethernet + 1);

		if ((void *)(ip + 1) > end)
			return 0;
		ethernet->type = PHX_SWAP16(PHX_ETHERTYPE_IPV6);
		phx_write_outer_ipv6(ip, packet, backend, hop, hash);
	} else if ((void *)(ethernet + 1) > end) {
		return 0;
	}
	phx_write_macs(ethernet, hop);
	return 1;
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

static __always_inline int send(struct xdp_md *ctx, const struct choice *choice)
{
	__u32 interface = choice->backend->next_hop[!!(choice->state & PHX_STATE_NEXT_HOP)].interface;

	if (interface == ctx->ingress_ifindex)
		return counted(PHX_COUNTER_SENT, XDP_TX);
	return counted(PHX_COUNTER_REDIRECTED, bpf_redirect(interface, 0));
}

SEC("xdp")
int phalanx_xdp(struct xdp_md *ctx)
{
	struct phx_packet packet;

	if (phx_parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &packet) != PHX_KIND_FLOW)
		return unserved(ctx);
	if (!may_be_vip(&packet.flow))
		return XDP_PASS;

	struct phx_vip *vip = bpf_map_lookup_elem(&vips, &packet.flow.to);

	if (!vip)
		return unserved(ctx);

	__u32 service_index = vip->service;
	struct phx_service *service = bpf_map_lookup_elem(&services, &service_index);
	__u64 region = service ? *(volatile __u64 *)&service->region : 0;

	if (!region)
		return counted(PHX_COUNTER_NO_TABLE_DROPPED, XDP_DROP);

	__u64 hash = phx_slot_hash(&packet.flow, service->seed);
	__u32 slot_index = phx_slot_index(region, hash);
	struct phx_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);
	struct choice choice;
	struct phx_slot row;
	int found;

	if (!slot)
		return counted(PHX_COUNTER_NO_TABLE_DROPPED, XDP_DROP);
	row = read_slot(slot);
	if (!is_tracked(service, row))
		found = choose(&choice, row);
	else
		found = choose_by_flow(ctx, &choice, &packet.flow, service, row, bpf_ktime_get_coarse_ns());
	if (!found && service->no_backend == PHX_NO_BACKEND_LAST_GOOD)
		found = choose_last_good(&choice, row.primary);
	if (!found)
		return refuse(ctx, service->no_backend);
	if (!forward(ctx, &packet, &choice, hash))
		return counted(PHX_COUNTER_NO_HEADROOM_DROPPED, XDP_DROP);
	count_traffic(&service_traffic, service_index, packet.length);
	count_traffic(&backend_traffic, choice.entry, packet.length);
	return send(ctx, &choice);
}

char _license[] SEC("license") = "Dual BSD/GPL";

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The packet path: spreads the packets of services over their backends. phalanx.h says what every map means.
 * Needs nothing but the kernel: whoever filled the maps may be gone.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "lib/echo.h"
#include "lib/encapsulate.h"
#include "lib/parse.h"

/* Control sets max_entries of all but `counters` and `vip_filter` before it loads the object (node.limits).
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PHX_DEFAULT_SERVICES *PHX_VIPS_PER_SERVICE);
	__type(key, struct phx_vip_key);
	__type(value, struct phx_vip);
} vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct phx_vip_filter);
} vip_filter SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PHX_DEFAULT_SERVICES);
	__type(key, __u32);
	__type(value, struct phx_service);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PHX_DEFAULT_SLOTS);
	__type(key, __u32);
	__type(value, struct phx_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PHX_DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, struct phx_backend);
} backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PHX_DEFAULT_SERVICES);
	__type(key, __u32);
	__type(value, struct phx_traffic);
} service_traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PHX_DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, struct phx_traffic);
} backend_traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PHX_COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* The last two are user space's own; they are declared here so that they live and die with the others. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PHX_DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, struct phx_backend_status);
} backend_status SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PHX_DEFAULT_STATE_PAGES);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, PHX_STATE_PAGE);
} state SEC(".maps");

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
	choice->entry = entry;
	choice->backend = bpf_map_lookup_elem(&backends, &choice->entry);
	if (!choice->backend)
		return 0;
	choice->state = *(volatile __u64 *)&choice->backend->state;
	return choice->state & PHX_STATE_UP;
}

static __always_inline int choose(struct choice *choice, const struct phx_slot *slot)
{
	union {
		__u64 word;
		struct phx_slot row;
	} read = {.word = *(volatile __u64 *)slot};

	if (is_up(choice, read.row.primary))
		return 1;
	if (!is_up(choice, read.row.backup))
		return 0;
	return counted(PHX_COUNTER_BY_BACKUP, 1);
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

	if (!slot)
		return counted(PHX_COUNTER_NO_TABLE_DROPPED, XDP_DROP);
	if (!choose(&choice, slot))
		return counted(PHX_COUNTER_NO_BACKEND_DROPPED, XDP_DROP);
	if (!forward(ctx, &packet, &choice, hash))
		return counted(PHX_COUNTER_NO_HEADROOM_DROPPED, XDP_DROP);
	count_traffic(&service_traffic, service_index, packet.length);
	count_traffic(&backend_traffic, choice.entry, packet.length);
	return send(ctx, &choice);
}

char _license[] SEC("license") = "Dual BSD/GPL";

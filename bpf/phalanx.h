/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The contract between the packet path (bpf/) and user space (userspace/): every map's key and value,
 * every limit, every counter. Included by both sides; compiled as C by clang for BPF and as C++20.
 *
 * Conventions, for every field unless its comment says otherwise:
 *   - integers are in host byte order; `be` in a comment means network byte order (big endian);
 *   - an address field is 16 bytes in network byte order: an IPv4 address lies in the first four, the other
 *     twelve are zero, and `family` (4 or 6) says which it is, so that ::ffff:192.0.2.1 on the wire is never
 *     taken for 192.0.2.1;
 *   - there is no implicit padding: a hash key with uninitialised padding misses silently. Reserved bytes are
 *     named, and zero;
 *   - W: who writes it. R: who reads it. "path" is bpf/balancer.bpf.c, "agent" is bpf/agent.bpf.c,
 *     "control" is phalanxd, or the CLI when no daemon runs (a lock on the pin directory sees to it).
 */
#ifndef PHALANX_H
#define PHALANX_H

#include <linux/types.h>

#include "counters.h"

#ifdef __cplusplus
#define PHX_ASSERT(condition, text) static_assert(condition, text)
#else
#define PHX_ASSERT(condition, text) _Static_assert(condition, text)
#endif
#define PHX_OFFSET(type, field) __builtin_offsetof(type, field)

#include "agent_contract.h"
#include "hops.h"

/*
 * Raised whenever a map is added, or a key or value changes shape or meaning. A daemon takes over pins of a
 * former layout from PHX_OLDEST_LAYOUT on: since then maps were only added, and counters behind those that
 * there were. Whoever changes anything else raises both. Others it refuses, and touches nothing. 4: maps
 * `liveness`, `watch` and `local_agent`; counters BY_FIB and KEPT.
 */
#define PHX_LAYOUT_VERSION 4u
#define PHX_OLDEST_LAYOUT  3u

/* ---------------------------------------------------------------------------------------------- limits */

/* Defaults of node.limits; control sizes the maps by the configuration at a fresh load. */
#define PHX_DEFAULT_SERVICES    1024u
#define PHX_DEFAULT_BACKENDS    4096u
#define PHX_DEFAULT_SLOTS       1048576u
#define PHX_DEFAULT_FLOWS       65536u
#define PHX_DEFAULT_FRAGMENTS   16384u
#define PHX_DEFAULT_STATE_PAGES 513u /* of map `state`: the header's page and two copies of 1 MiB */

/* services[].slots: a power of two within these bounds. */
#define PHX_MIN_SLOTS 4096u
#define PHX_MAX_SLOTS 1048576u

/* Rows of `vips` for each service of node.limits.services. */
#define PHX_VIPS_PER_SERVICE 4u

/* Rows of `nat_sources` for each backend of node.limits.backends: one a protocol. */
#define PHX_NAT_SOURCES_PER_BACKEND 2u

/* A backend entry's index is 16 bits wide; this one names none. */
#define PHX_NO_ENTRY    0xffffu
#define PHX_MAX_ENTRIES 65535u

/* node.limits.services: a row of the flow table names its service by 16 bits. */
#define PHX_MAX_SERVICES 65534u

/* A row of `vips` that names no service: the VIP's own row (port 0, protocol 0). */
#define PHX_NO_SERVICE 0xffffffffu

/* ----------------------------------------------------------------------------------------------- enums */

enum phx_family {
	PHX_FAMILY_NONE = 0,
	PHX_FAMILY_IPV4 = 4,
	PHX_FAMILY_IPV6 = 6,
};

/* How packets reach a backend (services[].forward). */
enum phx_forward {
	PHX_FORWARD_IPIP = 0, /* IP in IP, all four combinations (RFC 2003, RFC 2473, RFC 4213) */
	PHX_FORWARD_L2 = 1,   /* the same packet, with the backend's MAC address */
	PHX_FORWARD_GUE = 2,  /* IP in Generic UDP Encapsulation, variant 0 (draft-ietf-intarea-gue-09) */
	PHX_FORWARD_NAT =
		3, /* stateless destination NAT: the backend's address and port take the VIP's place */
};

/* What happens to a packet whose primary and backup are both down (services[].no_backend). */
enum phx_no_backend {
	PHX_NO_BACKEND_DROP = 0,
	PHX_NO_BACKEND_REJECT = 1,    /* TCP reset; ICMP or ICMPv6 port unreachable for UDP */
	PHX_NO_BACKEND_LAST_GOOD = 2, /* sent to primary all the same */
};

/* What happens to a packet to a VIP, on a port without service (services[].unmatched). */
enum phx_unmatched {
	PHX_UNMATCHED_PASS = 0, /* handed to the node's kernel */
	PHX_UNMATCHED_DROP = 1,
	PHX_UNMATCHED_REJECT = 2, /* TCP reset; ICMP or ICMPv6 port unreachable for UDP; else dropped */
};

/* Which flows of a service are remembered one by one (services[].track). */
enum phx_track {
	PHX_TRACK_AUTO = 0, /* those of tracked slots */
	PHX_TRACK_ALL = 1,  /* all: every slot counts as tracked */
	PHX_TRACK_NONE = 2, /* none: no slot counts as tracked */
};

/* Remembered flows of an entry that is not up, though reachable (services[].on_down). */
enum phx_on_down {
	PHX_ON_DOWN_MOVE = 0, /* move to the slot's primary */
	PHX_ON_DOWN_KEEP = 1, /* stay */
};

/* Bits of phx_slot.flags. */
#define PHX_SLOT_TRACKED (1u << 0) /* a change is recent: flows of the slot are remembered one by one */

/* Bits of phx_backend.state. */
#define PHX_STATE_UP        (1ull << 0) /* takes traffic */
#define PHX_STATE_REACHABLE (1ull << 1) /* its host answers; a failed check alone leaves it set */
#define PHX_STATE_NEXT_HOP  (1ull << 2) /* which row of next_hop[] is live: clear 0, set 1 */
#define PHX_STATE_DRAINING  (1ull << 3) /* takes no new flows, in any service; keeps those it has */

/* phx_backend_status.health */
enum phx_health {
	PHX_HEALTH_UNKNOWN = 0, /* no conclusive probe yet: takes traffic */
	PHX_HEALTH_UP = 1,
	PHX_HEALTH_DOWN = 2,
};

/* ------------------------------------------------------------------------------------ the balancer's maps */

/*
 * Map `vips`: hash, struct phx_vip_key -> struct phx_vip. W: control. R: path.
 * Two kinds of rows: a service's (address, port, protocol), and one for each VIP itself with port 0 and
 * protocol 0, by which the path knows echo requests, fragments and packets to ports without service.
 */
struct phx_vip_key {
	__u8 address[16]; /* the VIP */
	__u16 port;       /* be; 0 in the VIP's own row */
	__u8 protocol;    /* IPPROTO_TCP, IPPROTO_UDP; 0 in the VIP's own row */
	__u8 family;      /* enum phx_family */
};
PHX_ASSERT(sizeof(struct phx_vip_key) == 20, "vip key size");
PHX_ASSERT(PHX_OFFSET(struct phx_vip_key, port) == 16, "vip key port");
PHX_ASSERT(PHX_OFFSET(struct phx_vip_key, family) == 19, "vip key family");

struct phx_vip {
	__u32 service;   /* index into `services`, or PHX_NO_SERVICE */
	__u32 unmatched; /* enum phx_unmatched; read in the VIP's own row only */
};
PHX_ASSERT(sizeof(struct phx_vip) == 8, "vip size");

/*
 * Map `vip_filter`: array of one row, memory-mapped. W: control. R: path.
 * Which addresses may be VIPs or nat backends: a set bit says perhaps, a clear one says no, and the path
 * passes the packet without looking it up. The bit of an address is phx_vip_filter_bit(). Control sets it
 * before it adds any row for the address to `vips` or `nat_sources`; a bit that is set for no VIP (any
 * longer) costs foreign packets a look-up, nothing else.
 */
#define PHX_VIP_FILTER_BITS 32768u
struct phx_vip_filter {
	__u64 words[PHX_VIP_FILTER_BITS / 64]; /* bit b lies in word b / 64, at 1 << b % 64 */
};
PHX_ASSERT(sizeof(struct phx_vip_filter) == 4096, "vip filter size: one page");

/* first, second: the two halves of a 16-byte address field, as they lie in memory. */
static inline __u32 phx_vip_filter_bit(__u64 first, __u64 second)
{
	return (__u32)((first * 0xff51afd7ed558ccdull + second * 0xc4ceb9fe1a85ec53ull) >> 49);
}
PHX_ASSERT(PHX_VIP_FILTER_BITS == 1u << (64 - 49), "the upper bits of the product choose the bit");

/*
 * Map `vip_cache`: array of PHX_VIP_CACHE_ROWS rows, memory-mapped. W: control. R: path.
 * Rows of services in `vips` once more, each at phx_vip_cache_index() where that place is free: the path
 * finds most services by one load from an array, and looks into the hash for the others only. The 8 bytes
 * from key.port on are stored at once; a family of NONE says that the row holds nothing. The address of a row
 * is written once, before the row is first filled, and stays when it is emptied: a reader between two loads
 * never takes one VIP for another.
 */
#define PHX_VIP_CACHE_ROWS 4096u
struct phx_vip_cache_row {
	struct phx_vip_key key;
	__u32 service;    /* index into `services` */
	__u8 reserved[8]; /* 0 */
};
PHX_ASSERT(sizeof(struct phx_vip_cache_row) == 32, "vip cache row size: half a cache line");
PHX_ASSERT(PHX_OFFSET(struct phx_vip_cache_row, key.port) == 16, "the second half is stored at once");
PHX_ASSERT(PHX_OFFSET(struct phx_vip_cache_row, service) == 20, "the second half is stored at once");

/* Returns the one row that may hold the key. */
static inline __u32 phx_vip_cache_index(const struct phx_vip_key *key)
{
	__u64 address[2];
	__u32 rest;

	__builtin_memcpy(address, key->address, sizeof(address));
	__builtin_memcpy(&rest, &key->port, sizeof(rest));
	return (__u32)((address[0] * 0xff51afd7ed558ccdull + address[1] * 0xc4ceb9fe1a85ec53ull +
			rest * 0xbf58476d1ce4e5b9ull) >>
		       52);
}
PHX_ASSERT(PHX_VIP_CACHE_ROWS == 1u << (64 - 52), "the upper bits of the product choose the row");

/*
 * Map `services`: array, memory-mapped. W: control. R: path.
 * `region` is one aligned 8-byte word so that a service swings to a freshly written table by one store.
 */
struct phx_service {
	__u64 region;    /* phx_region(offset, slots): where in `slots` its table lies; 0: the row is free */
	__u64 seed;      /* of the slot hash */
	__u8 no_backend; /* enum phx_no_backend */
	__u8 track;      /* enum phx_track */
	__u8 on_down;    /* enum phx_on_down */
	__u8 reserved[45]; /* 0 */
};
PHX_ASSERT(sizeof(struct phx_service) == 64, "service size");
PHX_ASSERT(PHX_OFFSET(struct phx_service, region) % 8 == 0, "region is stored at once");
PHX_ASSERT(PHX_OFFSET(struct phx_service, seed) == 8, "service seed");
PHX_ASSERT(PHX_OFFSET(struct phx_service, no_backend) == 16, "service rule");

/* offset: index of the first slot, in slots. slots: how many, a power of two. The mask is never 0. */
static inline __u64 phx_region(__u32 offset, __u32 slots)
{
	return (__u64)offset << 32 | (slots - 1);
}
static inline __u32 phx_region_offset(__u64 region)
{
	return (__u32)(region >> 32);
}
static inline __u32 phx_region_mask(__u64 region)
{
	return (__u32)region;
}

/* Map `slots`: array, memory-mapped, node.limits.slots rows, each stored at once. W: control. R: path. */
struct phx_slot {
	__u16 primary;  /* entry that takes the slot's packets, or PHX_NO_ENTRY */
	__u16 backup;   /* entry that takes them when primary is not up, or PHX_NO_ENTRY */
	__u16 previous; /* entry that may still own older connections, or PHX_NO_ENTRY */
	__u16 flags;    /* PHX_SLOT_* */
};
PHX_ASSERT(sizeof(struct phx_slot) == 8, "slot size: stored at once");

/*
 * How a packet gets to a backend: the next frame's addresses, and the outer source that the route prefers.
 * W: control, from the kernel's routes and neighbours. R: path.
 */
struct phx_next_hop {
	__u8 destination_mac[6];
	__u8 source_mac[6];
	__u32 interface; /* ifindex; the path redirects where it is not the one the packet came in by;
			  * PHX_LOOPBACK: the backend is this very host */
	__u16 vlan;      /* id of the outgoing 802.1Q tag, 1 to 4094; 0: untagged */
	__u16 mtu; /* largest IP packet, outer header included, that may leave by it; 0: not known, not judged
		    */
	__u8 tunnel_source[16]; /* outer source of ipip and gue, of the backend's family */
};
PHX_ASSERT(sizeof(struct phx_next_hop) == 36, "next hop size");
PHX_ASSERT(PHX_OFFSET(struct phx_next_hop, interface) == 12, "next hop interface");
PHX_ASSERT(PHX_OFFSET(struct phx_next_hop, tunnel_source) == 20, "next hop tunnel source");

/*
 * Map `backends`: array of backend entries, memory-mapped, node.limits.backends rows. W: control. R: path.
 * `state` is one aligned 8-byte word: marking an entry down, or swinging it to another next hop (written
 * first to the row of next_hop[] that is not live), is one store.
 */
struct phx_backend {
	__u64 state;      /* PHX_STATE_* */
	__u8 address[16]; /* the backend's: outer destination of a tunnel, new destination of nat */
	__u16 port;       /* be; the backend's */
	__u8 family;      /* of the addresses, enum phx_family; NONE: the row is free */
	__u8 forward;     /* enum phx_forward */
	struct phx_next_hop next_hop[2]; /* the live one is named by PHX_STATE_NEXT_HOP */
	__u16 tunnel_port;               /* be; outer destination port of gue */
	__u8 source_bits;  /* low bits of tunnel_source that the flow's hash fills in: 0 (none) to 64 */
	__u8 reserved[25]; /* 0 */
};
PHX_ASSERT(PHX_OFFSET(struct phx_backend, tunnel_port) == 100, "tunnel port");
PHX_ASSERT(sizeof(struct phx_backend) == 128, "backend size");
PHX_ASSERT(PHX_OFFSET(struct phx_backend, state) == 0, "state is stored at once");
PHX_ASSERT(PHX_OFFSET(struct phx_backend, family) == 26, "backend family");
PHX_ASSERT(PHX_OFFSET(struct phx_backend, next_hop) == 28, "all up to the first next hop is one cache line");

/* Map `backend_status`: array, memory-mapped, as long as `backends`. W: control. R: CLI, API. */
struct phx_backend_status {
	__u64 since_ns;   /* wall clock (ns since 1970) of the last change of health */
	__u32 flows;      /* remembered flows that it serves, as of the last sweep of the flow table */
	__u8 health;      /* enum phx_health */
	char reason[115]; /* why, as a sentence, NUL-terminated */
};
PHX_ASSERT(sizeof(struct phx_backend_status) == 128, "backend status size");

/*
 * Maps `service_traffic` (by service index) and `backend_traffic` (by entry index): per-CPU arrays.
 * W: path. R: control, CLI. Services that share an entry share its count.
 */
struct phx_traffic {
	__u64 packets;
	__u64 bytes; /* of the client's IP packets, as their headers state */
};
PHX_ASSERT(sizeof(struct phx_traffic) == 16, "traffic size");

/*
 * Map `flows`: array of sets of rows, memory-mapped, phx_flow_sets(node.limits.flows) of them. W: path (adds,
 * refreshes), control (expires). R: path, for packets of tracked slots only; control. In steady state, when
 * no change is recent, it is empty and nobody looks into it. bpf/lib/flow_table.h says how a flow is found
 * and which one gives way.
 */
struct phx_flow_owner {
	__u16 entry;   /* who serves the flow */
	__u8 flags;    /* PHX_FLOW_* */
	__u8 fraction; /* of the second of its first packet, in units of 2^22 ns: of what began in one second,
			* what was first */
	__u32 seen_s;  /* CLOCK_MONOTONIC, in seconds, of its last packet */
};
PHX_ASSERT(sizeof(struct phx_flow_owner) == 8, "flow owner size: read and written at once");
#define PHX_FLOW_CLOSING   (1u << 0) /* a FIN or RST was seen */
#define PHX_FLOW_BEGINNING (1u << 1) /* only its first packet was seen: may be a flood's */
#define PHX_FLOW_UDP       (1u << 2) /* of UDP; else of TCP */

struct phx_flow_row {
	__u64 identity; /* phx_flow_identity(): service index + 1 << 48 | the lower 48 bits of the slot hash
			 */
	struct phx_flow_owner owner;
};
#define PHX_FLOW_FREE    0ull    /* an identity: the row is free */
#define PHX_FLOW_CLAIMED (~0ull) /* an identity: somebody is writing the row */

#define PHX_FLOW_WAYS 8u
struct phx_flow_set {
	struct phx_flow_row rows[PHX_FLOW_WAYS];
};
PHX_ASSERT(sizeof(struct phx_flow_set) == 128, "flow set size: two cache lines");

/*
 * flows: node.limits.flows. Returns how many sets hold them: a power of two, with two to four rows a flow, so
 * that hardly a set is full before the limit is reached.
 */
static inline __u32 phx_flow_sets(__u32 flows)
{
	__u32 sets = 1;

	while (sets * PHX_FLOW_WAYS < 2 * flows)
		sets *= 2;
	return sets;
}

/*
 * Map `nat_sources`: hash, struct phx_vip_key (a nat backend's address and port, and each protocol of its
 * service) -> struct phx_nat_source.
 * W: control. R: path: what a backend answers leaves as the VIP. A backend's address and port belong to one
 * VIP and port, which the configuration makes sure of.
 */
struct phx_nat_source {
	__u8 vip[16];  /* of the backend's family */
	__u16 port;    /* be; the service's */
	__u16 entry;   /* the backend's */
	__u32 service; /* index into `services` */
};
PHX_ASSERT(sizeof(struct phx_nat_source) == 24, "nat source size");

/*
 * Map `interfaces`: hash of devices, __u32 ifindex -> __u32 ifindex. W: control. R: path: through these what
 * a nat backend answers is sent straight to its client. It is for Ethernet interfaces whose driver takes
 * redirected frames; what leaves by others goes through the node's kernel.
 */
#define PHX_MAX_INTERFACES 64u

/*
 * Map `local_agent`: array of programs, one row. W: control. R: path, where `with_agent` is set: the program
 * of agent.bpf.c, for packets that go to this very host, and for tunnel packets that come in.
 */
#define PHX_LOOPBACK 1u /* its ifindex, in every network namespace (Linux: LOOPBACK_IFINDEX) */

/*
 * Map `fragments`: LRU hash, struct phx_datagram -> struct phx_datagram_owner, node.limits.fragments rows.
 * W, R: path. Where the first fragment of a datagram went, or which nat backend it came from, for those
 * that follow it. Nothing but fragments uses it, so that whoever fills it hurts fragments only.
 */
struct phx_datagram {
	__u8 source[16];
	__u8 destination[16];
	__u32 id;       /* be; of IPv4 in the first two bytes, the others 0 */
	__u8 protocol;  /* of IPv6: that of the fragment header */
	__u8 family;    /* enum phx_family */
	__u16 reserved; /* 0 */
};
PHX_ASSERT(sizeof(struct phx_datagram) == 40, "datagram size");
struct phx_datagram_owner {
	__u32 service; /* index into `services`; PHX_NO_SERVICE: it was passed */
	__u16 entry;   /* PHX_NO_ENTRY: it was passed */
	__u8 protocol; /* TCP or UDP, whatever stands before it; 0: of what was passed, perhaps another */
	__u8 reserved; /* 0 */
	__u32 seen_s;  /* CLOCK_MONOTONIC, in seconds: older than PHX_DATAGRAM_LIFE_S counts as absent */
	__u32 hash;    /* high half of the flow's slot hash: what outer headers are made of */
};
PHX_ASSERT(sizeof(struct phx_datagram_owner) == 16, "datagram owner size");
#define PHX_DATAGRAM_LIFE_S                                                                                  \
	30u /* as long as a receiver may wait for the rest (RFC 791: 15 s, Linux: 30 s)                      \
	     */

/*
 * Map `answers`: per-CPU array of one row, struct phx_answers. W, R: path. ICMP errors of the path's own are
 * limited to PHX_ANSWERS_PER_S a second and CPU (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 f).
 */
struct phx_answers {
	__u64 second; /* CLOCK_MONOTONIC */
	__u64 sent;   /* within it */
};
PHX_ASSERT(sizeof(struct phx_answers) == 16, "answers size");
#define PHX_ANSWERS_PER_S 1000u

/*
 * Map `liveness`: array of one row, memory-mapped; the program's section .data.liveness.
 * While the daemon's loop turns, `mark` moves every PHX_LIVENESS_MARK_MS. A timer of the path's own looks at
 * it every PHX_LIVENESS_PERIOD_MS: when it has not moved for PHX_LIVENESS_GRACE_MS the daemon's liveness is
 * stale. Then nobody keeps next hops fresh, and each packet's is asked of the kernel's FIB; where that has no
 * answer, and where the stored one has a VLAN tag, the stored one serves as ever. A mark that moves ends it.
 * The daemon begins to mark when it knows the kernel's next hops.
 */
struct phx_liveness {
	__u64 mark; /* W: daemon, one more each time. R: the path's timer */
	__u8 reserved[56];
	__u64 stale; /* 1: the daemon's liveness is stale. W: the path's timer. R: path, control, CLI */
	__u8 reserved_too[56]; /* a line of its own: the daemon's stores must not take it from the path */
};
PHX_ASSERT(sizeof(struct phx_liveness) == 128, "liveness size: two cache lines");
PHX_ASSERT(PHX_OFFSET(struct phx_liveness, stale) == 64, "stale has its own cache line");
#define PHX_LIVENESS_MARK_MS   100u
#define PHX_LIVENESS_PERIOD_MS 250u
#define PHX_LIVENESS_GRACE_MS  1000u

/*
 * Map `watch`: array of one row of PHX_WATCH_SIZE bytes: the timer and what it remembers. W, R: the path
 * alone. Control starts the timer by a test run of the program `phalanx_watch`; from then on it lives as long
 * as the map is pinned.
 */
#define PHX_WATCH_SIZE 32u

/* Map `counters`: per-CPU array of __u64 by enum phx_counter. W: path. R: control, CLI. */

/*
 * Map `state`: array of 4096-byte pages, memory-mapped. W: control. R: control at adoption, CLI, API.
 * Page 0 begins with struct phx_state_header; behind it lie two copies of `copy_pages` pages each. A new
 * document is written to the copy that is not live, then `live` is stored: the commit point of every change
 * of configuration. The document is the applied state as JSON (userspace/adapters/state/state_document.hpp):
 * the configuration, which entry and region belong to whom, the operator's overrides.
 */
#define PHX_STATE_PAGE  4096u
#define PHX_STATE_MAGIC 0x78616c616870ull /* "phalax" */

struct phx_state_header {
	__u64 magic;          /* PHX_STATE_MAGIC once a document was committed */
	__u32 layout_version; /* PHX_LAYOUT_VERSION of the writer */
	__u32 copy_pages;     /* pages a copy */
	__u64 live;           /* generation << 1 | which copy is live: stored at once */
	__u64 length[2];      /* bytes of each copy's document */
	__u32 writer_pid;     /* of the process that holds, or held last, the lock on the pin directory */
	__u32 reserved;       /* 0 */
};
PHX_ASSERT(sizeof(struct phx_state_header) == 48, "state header size");
PHX_ASSERT(PHX_OFFSET(struct phx_state_header, live) == 16, "live is stored at once");

#endif /* PHALANX_H */

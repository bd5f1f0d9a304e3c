/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The agent's part of the contract (phalanx.h, whose conventions hold, and which includes it): what lies in
 * the maps and variables of bpf/agent.bpf.c. "agent" is that program, "phalanx-agent" the command.
 */
#ifndef PHALANX_AGENT_CONTRACT_H
#define PHALANX_AGENT_CONTRACT_H

#include <linux/types.h>

#include "counters.h"

/* Map `agent_vips`: hash, struct phx_agent_vip -> __u32 1. W: phalanx-agent. R: agent. */
struct phx_agent_vip {
	__u8 address[16];
	__u8 family;      /* enum phx_family */
	__u8 reserved[3]; /* 0 */
};
PHX_ASSERT(sizeof(struct phx_agent_vip) == 20, "agent vip size");

/*
 * Map `agent_nodes`: longest-prefix trie, struct phx_agent_node -> __u32 1. W: phalanx-agent. R: agent.
 * The family comes before the address so that one trie serves both: prefix_length is 32 + the prefix's own.
 */
struct phx_agent_node {
	__u32 prefix_length; /* in bits, from `family` on */
	__u8 family;         /* enum phx_family */
	__u8 reserved[3];    /* 0 */
	__u8 address[16];
};
PHX_ASSERT(sizeof(struct phx_agent_node) == 24, "agent node size");
PHX_ASSERT(PHX_OFFSET(struct phx_agent_node, family) == 4, "agent node data");

/*
 * Map `agent_peers`: longest-prefix trie, struct phx_agent_node -> __u32 1. W: phalanx-agent. R: agent.
 * Other backends: they may send tunnel packets as nodes may, and packets are passed on to them and to nobody
 * else, whatever hops say.
 */

/*
 * Variable `shortcuts` of the agent's object, memory-mapped. W: phalanx-agent, before the program is
 * attached. R: agent. VIPs, nodes and peers of the maps once more, as far as there is room: who is found here
 * is not looked for in the maps, which are asked about everybody else. They belong to one load of the
 * program, and every change of configuration loads it anew: so nothing ever has to be taken out.
 */
#define PHX_AGENT_SOURCE_ROWS 8u
struct phx_agent_source_row {
	__u64 address[2]; /* as in phx_agent_node, two words of 8 bytes */
	__u64 mask[2];    /* the bits of the address that count */
	__u32 family;     /* enum phx_family; NONE: the row is free, and so are those behind it */
	__u32 reserved;   /* 0 */
};
PHX_ASSERT(sizeof(struct phx_agent_source_row) == 40, "agent source row size");

#define PHX_AGENT_VIP_ROWS 1024u
struct phx_agent_vip_row {
	__u64 address[2]; /* as in phx_agent_vip, two words of 8 bytes */
	__u32 family;     /* enum phx_family; NONE: the row is free */
	__u32 reserved;   /* 0 */
};
PHX_ASSERT(sizeof(struct phx_agent_vip_row) == 24, "agent vip row size");

struct phx_agent_shortcuts {
	struct phx_agent_source_row sources[PHX_AGENT_SOURCE_ROWS]; /* nodes, then peers */
	struct phx_agent_vip_row vips[PHX_AGENT_VIP_ROWS];          /* each at phx_agent_vip_index() */
};

/* first, second: the two halves of a 16-byte address field, as they lie in memory. */
static inline __u32 phx_agent_vip_index(__u64 first, __u64 second)
{
	__u64 mixed = first * 0xff51afd7ed558ccdull + second * 0xc4ceb9fe1a85ec53ull;

	mixed ^= mixed >> 32; /* or neighbouring IPv4 addresses would share places */
	return (__u32)(mixed * 0xbf58476d1ce4e5b9ull >> 54);
}
PHX_ASSERT(PHX_AGENT_VIP_ROWS == 1u << (64 - 54), "the upper bits of the product choose the row");

/*
 * Map `agent_reopened`: LRU hash, struct phx_flow -> __u32 1. W, R: agent. Connections whose SYN was passed
 * on while a socket in time-wait had an earlier one of the same ends. It belongs to one load of the program.
 */
#define PHX_AGENT_REOPENED_ROWS 16384u

/*
 * Map `agent_known`: array of PHX_AGENT_KNOWN_ROWS rows of __u64. W, R: agent. TCP connections that a socket
 * here was lately seen to have; bpf/lib/known_flow.h says what a row is. It belongs to one load of the
 * program too, and `flow_keys` is drawn for each: random numbers, or 0: no connection is remembered.
 */
#define PHX_AGENT_KNOWN_ROWS 262144u /* 2 MiB: 3 % of 8,192 connections share a row with another */
#define PHX_AGENT_FLOW_WORDS 9u      /* of 4 bytes: addresses and ports of IPv6 */
struct phx_agent_flow_keys {
	__u64 first[PHX_AGENT_FLOW_WORDS];
	__u64 second[PHX_AGENT_FLOW_WORDS];
};

/* Where GUE comes to unless the configuration says otherwise, on nodes and backends (IANA: gue). */
#define PHX_DEFAULT_GUE_PORT 6080u

#define PHX_AGENT_MAX_VIPS  1024u
#define PHX_AGENT_MAX_NODES 1024u
#define PHX_AGENT_MAX_PEERS 1024u

/* Network namespaces whose sockets the agent asks for a flow, besides the host's own. */
#define PHX_AGENT_MAX_NAMESPACES 16u

/*
 * Map `agent_settings`: array of one row. W, R: phalanx-agent. What it cannot learn from the other maps when
 * it says how things stand: no process of its own stays, and the file may have changed since.
 */
#define PHX_AGENT_NAMESPACE_BYTES 248u
struct phx_agent_settings {
	__u16 gue_port;
	__u16 namespace_count;
	__u32 reserved;                                                       /* 0 */
	char namespaces[PHX_AGENT_MAX_NAMESPACES][PHX_AGENT_NAMESPACE_BYTES]; /* NUL-terminated */
};
PHX_ASSERT(sizeof(struct phx_agent_settings) == 3976, "agent settings size");

/* Map `agent_counters`: per-CPU array of __u64 by enum phx_agent_counter. W: agent. R: phalanx-agent. */

#endif /* PHALANX_AGENT_CONTRACT_H */

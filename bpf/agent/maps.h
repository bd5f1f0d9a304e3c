/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of agent.bpf.c and its load-time settings. phalanx.h says who reads and writes them. */
#ifndef PHALANX_AGENT_MAPS_H
#define PHALANX_AGENT_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "lib/wire.h"

/*
 * Load-time settings. W: phalanx-agent, before it loads the object.
 * gue_port: the UDP port, be, that GUE comes to.
 * own_ipv4, own_ipv6: addresses of the host, as they lie on the wire: the outer source of what is passed on
 * to a hop of another family than the header that it came in; 0 where the host has none. namespaces,
 * namespace_count: ids, in the host's namespace, of those whose sockets are asked besides its own.
 * flow_keys: random.
 */
const volatile __u16 gue_port = PHX_SWAP16(PHX_DEFAULT_GUE_PORT);
const volatile __u32 own_ipv4 = 0;
const volatile __u64 own_ipv6[2] = {};
const volatile __u32 namespaces[PHX_AGENT_MAX_NAMESPACES] = {};
const volatile __u32 namespace_count = 0;
#ifndef FLOW_KEYS_AT_FIRST /* a native build has nobody who draws them */
#define FLOW_KEYS_AT_FIRST                                                                                   \
	{                                                                                                    \
	}
#endif
const volatile struct phx_agent_flow_keys flow_keys = FLOW_KEYS_AT_FIRST;

struct phx_agent_shortcuts shortcuts;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PHX_AGENT_MAX_VIPS);
	__type(key, struct phx_agent_vip);
	__type(value, __u32);
} agent_vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PHX_AGENT_MAX_NODES);
	__type(key, struct phx_agent_node);
	__type(value, __u32);
} agent_nodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PHX_AGENT_MAX_PEERS);
	__type(key, struct phx_agent_node);
	__type(value, __u32);
} agent_peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PHX_AGENT_KNOWN_ROWS);
	__type(key, __u32);
	__type(value, __u64);
} agent_known SEC(".maps");

/* Of another program than this one nothing here is worth keeping: fresh with each that is loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PHX_AGENT_REOPENED_ROWS);
	__type(key, struct phx_flow);
	__type(value, __u32);
} agent_reopened SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PHX_AGENT_COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} agent_counters SEC(".maps");

/* Nothing here reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct phx_agent_settings);
} agent_settings SEC(".maps");

static __always_inline int counted(enum phx_agent_counter counter, int verdict)
{
	__u32 key = counter;
	__u64 *count = bpf_map_lookup_elem(&agent_counters, &key);

	if (count)
		(*count)++;
	return verdict;
}

#endif /* PHALANX_AGENT_MAPS_H */

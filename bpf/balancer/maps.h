/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of balancer.bpf.c. phalanx.h says what each means, and who reads and writes it. */
#ifndef PHALANX_BALANCER_MAPS_H
#define PHALANX_BALANCER_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "lib/hash.h"

/*
 * Load-time settings (W: control, before it loads the object): what is off is pruned by the verifier.
 * with_nat: what nat backends answer is looked up in `nat_sources`.
 * with_agent: this host is a backend too (node.agent).
 */
const volatile __u8 with_nat = 1;
const volatile __u8 with_agent = 0;

/* Control sets max_entries of all but `counters`, `watch`, `vip_filter` and `vip_cache` before it loads the
 * object (node.limits).
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
	__uint(max_entries, PHX_VIP_CACHE_ROWS);
	__type(key, __u32);
	__type(value, struct phx_vip_cache_row);
} vip_cache SEC(".maps");

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

/* Read and written for packets of tracked slots only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2 * PHX_DEFAULT_FLOWS / PHX_FLOW_WAYS);
	__type(key, __u32);
	__type(value, struct phx_flow_set);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PHX_DEFAULT_BACKENDS *PHX_NAT_SOURCES_PER_BACKEND);
	__type(key, struct phx_vip_key);
	__type(value, struct phx_nat_source);
} nat_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, PHX_MAX_INTERFACES);
	__type(key, __u32);
	__type(value, __u32);
} interfaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} local_agent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PHX_DEFAULT_FRAGMENTS);
	__type(key, struct phx_datagram);
	__type(value, struct phx_datagram_owner);
} fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct phx_answers);
} answers SEC(".maps");

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

/* phalanx.h has its size only: the timer is the kernel's. */
struct phx_watch {
	struct bpf_timer timer;
	__u64 mark;           /* as it was when last looked at */
	__u64 silent_periods; /* for how many it has not moved since */
};
PHX_ASSERT(sizeof(struct phx_watch) == PHX_WATCH_SIZE, "watch size");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct phx_watch);
} watch SEC(".maps");

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

#endif /* PHALANX_BALANCER_MAPS_H */

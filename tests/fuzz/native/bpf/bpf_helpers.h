/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for libbpf's header of this name when a BPF program is compiled natively: maps are declared by
 * the same words, helpers are functions of runtime.cpp.
 */
#ifndef PHALANX_NATIVE_BPF_HELPERS_H
#define PHALANX_NATIVE_BPF_HELPERS_H

#include <linux/bpf.h>
#include <linux/types.h>

#define __uint(name, val) int(*name)[val]
#define __type(name, val) __typeof__(val)* name
#define SEC(name)
#define __noinline __attribute__((noinline))
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))

/* libbpf, which the comparison links, has functions of the first three names. */
#define bpf_map_lookup_elem native_map_lookup_elem
#define bpf_map_update_elem native_map_update_elem
#define bpf_map_delete_elem native_map_delete_elem

void* bpf_map_lookup_elem(void* map, const void* key);
long bpf_map_update_elem(void* map, const void* key, const void* value, __u64 flags);
long bpf_map_delete_elem(void* map, const void* key);
__u64 bpf_ktime_get_coarse_ns(void);
__u64 bpf_jiffies64(void);
long bpf_redirect(__u32 interface, __u64 flags);
long bpf_redirect_map(void* map, __u64 key, __u64 flags);
long bpf_xdp_adjust_head(struct xdp_md* ctx, int delta);
long bpf_xdp_adjust_tail(struct xdp_md* ctx, int delta);
long bpf_fib_lookup(void* ctx, struct bpf_fib_lookup* parameters, int size, __u32 flags);
struct bpf_sock* bpf_skc_lookup_tcp(void* ctx, struct bpf_sock_tuple* tuple, __u32 size, __u64 netns,
                                    __u64 flags);
struct bpf_sock* bpf_sk_lookup_udp(void* ctx, struct bpf_sock_tuple* tuple, __u32 size, __u64 netns,
                                   __u64 flags);
long bpf_sk_release(void* socket);
long bpf_tail_call(void* ctx, void* programs, __u32 index);
__u32 bpf_get_smp_processor_id(void);
long bpf_timer_init(struct bpf_timer* timer, void* map, __u64 flags);
long bpf_timer_set_callback(struct bpf_timer* timer, void* callback);
long bpf_timer_start(struct bpf_timer* timer, __u64 ns, __u64 flags);
struct tcphdr;
long bpf_tcp_check_syncookie(void* socket, void* ip, __u32 ip_size, struct tcphdr* tcp, __u32 tcp_size);

#endif /* PHALANX_NATIVE_BPF_HELPERS_H */

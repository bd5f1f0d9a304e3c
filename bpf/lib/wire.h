/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Headers as they lie on the wire, and the integers to read them with. Own definitions, because the kernel's
 * <linux/in.h> and libc's <netinet/in.h> exclude each other and these compile for BPF and for user space
 * alike.
 *
 * Every multi-byte field is in network byte order.
 */
#ifndef PHALANX_LIB_WIRE_H
#define PHALANX_LIB_WIRE_H

#include "phalanx.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the slot hash and the flow's layout are defined for little-endian hosts only"
#endif

#define PHX_INLINE static inline __attribute__((always_inline))

/*
 * What is a function of its own. verifier: one that is not static is looked at once, knowing nothing of its
 * callers, instead of once for each state that a caller may be in. It takes the context and memory, but no
 * pointer into the packet.
 */
#ifdef __bpf__
#define PHX_ONCE __attribute__((noinline))
#else
#define PHX_ONCE static inline
#endif

/*
 * Integers at any address. BPF reads them at once (the machines we run on take unaligned accesses, and the
 * verifier knows it); natively the type says that it may be unaligned, or the sanitizers would object.
 */
#ifdef __bpf__
#define PHX_WIRE __attribute__((may_alias))
#else
#define PHX_WIRE __attribute__((may_alias, aligned(1)))
#endif
typedef __u16 PHX_WIRE phx_wire16;
typedef __u32 PHX_WIRE phx_wire32;
typedef __u64 PHX_WIRE phx_wire64;

#define PHX_SWAP16(x) ((__u16)__builtin_bswap16((__u16)(x)))
#define PHX_SWAP32(x) ((__u32)__builtin_bswap32((__u32)(x)))
#define PHX_SWAP64(x) ((__u64)__builtin_bswap64((__u64)(x)))

/*
 * For the verifier, which knows less than the compiler: the value of a variable as if it came from nowhere,
 * so that no comparison is dropped because of what is known of it. Natively nothing.
 */
#ifdef __bpf__
#define PHX_FORGET(variable) asm volatile("" : "+r"(variable))
#else
#define PHX_FORGET(variable)
#endif

/* A length that is to be added to a pointer. verifier: Linux 6.1 knows no bounds of what was swapped. */
PHX_INLINE __u32 phx_swapped_length(__u16 wire)
{
	__u32 length = PHX_SWAP16(wire);

	PHX_FORGET(length);
	return length & 0xffff;
}

#define PHX_ETHERTYPE_IPV4 0x0800u
#define PHX_ETHERTYPE_IPV6 0x86ddu
#define PHX_ETHERTYPE_VLAN 0x8100u /* 802.1Q */
#define PHX_ETHERTYPE_QINQ 0x88a8u /* 802.1ad */

/* Assigned Internet protocol numbers; the IPv6 extension headers by RFC 7045. */
#define PHX_PROTOCOL_HOP_BY_HOP     0u
#define PHX_PROTOCOL_ICMP           1u
#define PHX_PROTOCOL_IPV4           4u
#define PHX_PROTOCOL_TCP            6u
#define PHX_PROTOCOL_UDP            17u
#define PHX_PROTOCOL_IPV6           41u
#define PHX_PROTOCOL_ROUTING        43u
#define PHX_PROTOCOL_FRAGMENT       44u
#define PHX_PROTOCOL_AUTHENTICATION 51u
#define PHX_PROTOCOL_ICMPV6         58u
#define PHX_PROTOCOL_DESTINATION    60u
#define PHX_PROTOCOL_MOBILITY       135u
#define PHX_PROTOCOL_HIP            139u
#define PHX_PROTOCOL_SHIM6          140u

struct phx_ethernet {
	__u8 destination[6];
	__u8 source[6];
	phx_wire16 type;
};
PHX_ASSERT(sizeof(struct phx_ethernet) == 14, "Ethernet header");

struct phx_vlan_tag {
	phx_wire16 control;
	phx_wire16 type; /* of what follows */
};
PHX_ASSERT(sizeof(struct phx_vlan_tag) == 4, "VLAN tag");

struct phx_ipv4 {
	__u8 version_ihl;
	__u8 traffic_class;
	phx_wire16 length;
	phx_wire16 id;
	phx_wire16 fragment; /* flags and offset */
	__u8 ttl;
	__u8 protocol;
	phx_wire16 checksum;
	phx_wire32 source;
	phx_wire32 destination;
};
PHX_ASSERT(sizeof(struct phx_ipv4) == 20, "IPv4 header");
#define PHX_IPV4_PLAIN          0x45u   /* version 4, no options */
#define PHX_IPV4_DONT_FRAGMENT  0x4000u /* in fragment */
#define PHX_IPV4_MORE_FRAGMENTS 0x2000u /* in fragment */
#define PHX_IPV4_OFFSET_MASK    0x1fffu /* in fragment: units of 8 bytes */
#define PHX_IPV4_FRAGMENT_MASK  (PHX_IPV4_MORE_FRAGMENTS | PHX_IPV4_OFFSET_MASK)

struct phx_ipv6 {
	phx_wire32 version_class_label;
	phx_wire16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	phx_wire64 source[2];
	phx_wire64 destination[2];
};
PHX_ASSERT(sizeof(struct phx_ipv6) == 40, "IPv6 header");
PHX_ASSERT(PHX_OFFSET(struct phx_ipv6, destination) == 24, "IPv6 destination");
/* In the 16 bits of a fragment header from its third byte on; the offset is in bytes as it stands. */
#define PHX_IPV6_OFFSET_MASK    0xfff8u
#define PHX_IPV6_MORE_FRAGMENTS 0x0001u

/* ICMP and ICMPv6 echo (RFC 792, RFC 4443 section 4.1). */
struct phx_icmp {
	__u8 type;
	__u8 code;
	phx_wire16 checksum;
	phx_wire32 id_sequence;
};
PHX_ASSERT(sizeof(struct phx_icmp) == 8, "ICMP header");
#define PHX_ICMP_ECHO_REPLY           0u
#define PHX_ICMP_UNREACHABLE          3u
#define PHX_ICMP_PORT_UNREACHABLE     3u /* code */
#define PHX_ICMP_FRAGMENTATION_NEEDED 4u /* code */
#define PHX_ICMP_ECHO_REQUEST         8u
#define PHX_ICMP_TIME_EXCEEDED        11u
#define PHX_ICMP_PARAMETER_PROBLEM    12u
#define PHX_ICMPV6_UNREACHABLE        1u
#define PHX_ICMPV6_PORT_UNREACHABLE   4u /* code */
#define PHX_ICMPV6_TOO_BIG            2u
#define PHX_ICMPV6_TIME_EXCEEDED      3u
#define PHX_ICMPV6_PARAMETER_PROBLEM  4u
#define PHX_ICMPV6_ECHO_REQUEST       128u
#define PHX_ICMPV6_ECHO_REPLY         129u

struct phx_tcp {
	phx_wire16 source_port;
	phx_wire16 destination_port;
	phx_wire32 sequence;
	phx_wire32 acknowledgment;
	__u8 data_offset; /* words of 4 bytes, in the upper half */
	__u8 flags;
	phx_wire16 window;
	phx_wire16 checksum;
	phx_wire16 urgent;
};
#define PHX_TCP_HEADER 20u /* bytes, without options */
PHX_ASSERT(sizeof(struct phx_tcp) == PHX_TCP_HEADER, "TCP header");
#define PHX_TCP_FIN 0x01u
#define PHX_TCP_SYN 0x02u
#define PHX_TCP_RST 0x04u
#define PHX_TCP_ACK 0x10u

struct phx_udp {
	phx_wire16 source_port;
	phx_wire16 destination_port;
	phx_wire16 length; /* header included */
	phx_wire16 checksum;
};
#define PHX_UDP_HEADER 8u
PHX_ASSERT(sizeof(struct phx_udp) == PHX_UDP_HEADER, "UDP header");

/* Generic UDP Encapsulation, variant 0 (draft-ietf-intarea-gue-09 section 3.1). */
struct phx_gue {
	__u8 version_control_length; /* 2 bits, 1 bit, 5 bits: words of 4 bytes that follow the header */
	__u8 protocol;               /* of what it carries */
	phx_wire16 flags;
};
PHX_ASSERT(sizeof(struct phx_gue) == 4, "GUE header");

/* What stands between the outer IP header of gue and the inner one. */
struct phx_gue_headers {
	struct phx_udp udp;
	struct phx_gue gue;
};
PHX_ASSERT(sizeof(struct phx_gue_headers) == 12, "UDP and GUE headers");

PHX_INLINE __u64 phx_load64(const void *from)
{
	return *(const phx_wire64 *)from;
}

PHX_INLINE void phx_store64(void *to, __u64 value)
{
	*(phx_wire64 *)to = value;
}

PHX_INLINE __u32 phx_load32(const void *from)
{
	return *(const phx_wire32 *)from;
}

PHX_INLINE void phx_store32(void *to, __u32 value)
{
	*(phx_wire32 *)to = value;
}

#endif /* PHALANX_LIB_WIRE_H */

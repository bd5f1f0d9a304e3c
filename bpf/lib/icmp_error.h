/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP and ICMPv6 errors: which messages are errors, and the path's own, which quote the packet that they are
 * about. The caller checks bounds, makes room, cuts off, and writes the Ethernet header.
 */
#ifndef PHALANX_LIB_ICMP_ERROR_H
#define PHALANX_LIB_ICMP_ERROR_H

#include "lib/answer.h"

/* Furthest that quoted ports lie behind the quoted IP header: what fits into phx_packet.quoted. */
#define PHX_QUOTED_MAX (255u * 4)

PHX_INLINE int phx_is_echo_request(const struct phx_icmp *icmp, __u8 family)
{
	__u8 type = family == PHX_FAMILY_IPV4 ? PHX_ICMP_ECHO_REQUEST : PHX_ICMPV6_ECHO_REQUEST;

	return icmp->type == type && icmp->code == 0;
}

/* Of those that hosts heed; RFC 6633 deprecated source quench, and a redirect is a router's word to a host.
 */
PHX_INLINE int phx_is_error(const struct phx_icmp *icmp, __u8 family)
{
	if (family == PHX_FAMILY_IPV4)
		return icmp->type == PHX_ICMP_UNREACHABLE || icmp->type == PHX_ICMP_TIME_EXCEEDED ||
		       icmp->type == PHX_ICMP_PARAMETER_PROBLEM;
	return icmp->type >= PHX_ICMPV6_UNREACHABLE && icmp->type <= PHX_ICMPV6_PARAMETER_PROBLEM;
}

/* ---------------------------------------------------------------------------------- the path's own errors */

enum phx_error {
	PHX_ERROR_PORT_UNREACHABLE,
	PHX_ERROR_TIME_EXCEEDED,
	PHX_ERROR_TOO_BIG,
};

/* Type and code, as the first 16 bits of the message. */
PHX_INLINE __u32 phx_error_type(enum phx_error error, __u8 family)
{
	int is_ipv4 = family == PHX_FAMILY_IPV4;

	switch (error) {
	case PHX_ERROR_TIME_EXCEEDED:
		return is_ipv4 ? PHX_ICMP_TIME_EXCEEDED : PHX_ICMPV6_TIME_EXCEEDED;
	case PHX_ERROR_TOO_BIG:
		return is_ipv4 ? PHX_ICMP_UNREACHABLE | PHX_ICMP_FRAGMENTATION_NEEDED << 8
			       : PHX_ICMPV6_TOO_BIG;
	default:
		return is_ipv4 ? PHX_ICMP_UNREACHABLE | PHX_ICMP_PORT_UNREACHABLE << 8
			       : PHX_ICMPV6_UNREACHABLE | PHX_ICMPV6_PORT_UNREACHABLE << 8;
	}
}

/* Bytes of what follows an IPv4 header that the error quotes: they tell the client which socket it is about
 * (RFC 792). */
#define PHX_QUOTE_BEHIND_IPV4 8u
#define PHX_QUOTE_MAX_IPV4    (60u + PHX_QUOTE_BEHIND_IPV4) /* of the longest header */
/* As much as fits into the smallest MTU of IPv6 (RFC 4443 section 2.4 c). */
#define PHX_MIN_MTU_IPV6 1280u
#define PHX_QUOTE_MAX_IPV6                                                                                   \
	(PHX_MIN_MTU_IPV6 - (__u32)sizeof(struct phx_ipv6) - (__u32)sizeof(struct phx_icmp))
/* Every link carries as much (RFC 791). */
#define PHX_MIN_MTU_IPV4 68u

/* The error behind its Ethernet header; the rest of the quote follows. */
struct phx_error_ipv4 {
	struct phx_ipv4 ip;
	struct phx_icmp icmp;
	struct phx_ipv4 quote;
};
PHX_ASSERT(sizeof(struct phx_error_ipv4) == 48, "ICMP error");
struct phx_error_ipv6 {
	struct phx_ipv6 ip;
	struct phx_icmp icmp;
	struct phx_ipv6 quote;
};
PHX_ASSERT(sizeof(struct phx_error_ipv6) == 88, "ICMPv6 error");

/* Bytes that go before the quote. */
#define PHX_ERROR_PUSH_IPV4 ((int)(sizeof(struct phx_ipv4) + sizeof(struct phx_icmp)))
#define PHX_ERROR_PUSH_IPV6 ((int)(sizeof(struct phx_ipv6) + sizeof(struct phx_icmp)))

/* length: of the IP packet; l4: bytes of it before TCP or UDP. Returns how many the error quotes. */
PHX_INLINE __u32 phx_quote_size(__u8 family, __u32 length, __u32 l4)
{
	if (family == PHX_FAMILY_IPV4)
		return l4 + PHX_QUOTE_BEHIND_IPV4;
	return length < PHX_QUOTE_MAX_IPV6 ? length : PHX_QUOTE_MAX_IPV6;
}

/* The sum of the bytes from `at` to `end`, of which there are `most` at most. */
PHX_INLINE __u64 phx_sum_quote(const __u8 *at, const __u8 *end, __u32 most)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < most / 4 && at + 4 <= end; i++, at += 4)
		sum += phx_load32(at);
	if (at + 2 <= end) {
		sum += *(const phx_wire16 *)at;
		at += 2;
	}
	return at + 1 <= end ? sum + *at : sum;
}

/* type: phx_error_type(). mtu: of TOO_BIG, else 0. sum: of the quote, and in IPv6 of the pseudo-header. */
PHX_INLINE void phx_write_error(struct phx_icmp *icmp, __u32 type, __u32 mtu, __u64 sum)
{
	__u32 rest = PHX_SWAP32(mtu);

	phx_store32(icmp, type | (__u32)phx_checksum_finish(sum + type + rest) << 16);
	icmp->id_sequence = rest;
}

/* error, end: ends with the quoted bytes, which lie in place. */
PHX_INLINE void phx_write_error_ipv4(struct phx_error_ipv4 *error, const __u8 *end, __u32 type, __u32 mtu)
{
	__u32 length = (__u32)(end - (const __u8 *)error);

	phx_write_error(&error->icmp, type, mtu,
			phx_sum_quote((const __u8 *)&error->quote, end, PHX_QUOTE_MAX_IPV4));
	phx_write_answer_ipv4(&error->ip, length, PHX_PROTOCOL_ICMP, error->quote.destination,
			      error->quote.source);
}

PHX_INLINE void phx_write_error_ipv6(struct phx_error_ipv6 *error, const __u8 *end, __u32 type, __u32 mtu)
{
	const __u64 client[2] = {error->quote.source[0], error->quote.source[1]};
	const __u64 vip[2] = {error->quote.destination[0], error->quote.destination[1]};
	__u32 length = (__u32)(end - (const __u8 *)&error->icmp);
	__u64 sum = phx_sum_ipv6_addresses(&error->quote) + phx_pseudo_sum(length, PHX_PROTOCOL_ICMPV6) +
		    phx_sum_quote((const __u8 *)&error->quote, end, PHX_QUOTE_MAX_IPV6);

	phx_write_error(&error->icmp, type, mtu, sum);
	error->ip.source[0] = vip[0];
	error->ip.source[1] = vip[1];
	error->ip.destination[0] = client[0];
	error->ip.destination[1] = client[1];
	phx_write_answer_ipv6(&error->ip, length, PHX_PROTOCOL_ICMPV6);
}

#endif /* PHALANX_LIB_ICMP_ERROR_H */

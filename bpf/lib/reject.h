/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Turns a packet that no backend takes into its refusal: a TCP segment into a reset, in place, a UDP datagram
 * into the ICMP or ICMPv6 error that quotes it. The caller checks bounds, makes room, cuts off,
 * and writes the Ethernet header.
 */
#ifndef PHALANX_LIB_REJECT_H
#define PHALANX_LIB_REJECT_H

#include "lib/answer.h"
#include "lib/checksum.h"

/* The pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1) but for the addresses. */
PHX_INLINE __u64 phx_pseudo_sum(__u32 length, __u8 protocol)
{
	return (__u64)PHX_SWAP16(length) + PHX_SWAP16(protocol);
}

PHX_INLINE __u64 phx_sum_ipv6_addresses(const struct phx_ipv6 *ip)
{
	const phx_wire32 *words = (const phx_wire32 *)ip->source;
	__u64 sum = 0;

	for (int i = 0; i < 8; i++)
		sum += words[i];
	return sum;
}

/* An IPv4 header without options (RFC 791) of a packet that is never fragmented, hence id 0 (RFC 6864). */
PHX_INLINE void phx_write_answer_ipv4(struct phx_ipv4 *ip, __u32 length, __u8 protocol, __u32 source,
				      __u32 destination)
{
	__u32 words[3] = {
		PHX_SWAP32(PHX_IPV4_PLAIN << 24 | length),
		PHX_SWAP32(PHX_IPV4_DONT_FRAGMENT),
		PHX_SWAP32(PHX_ANSWER_TTL << 24 | (__u32)protocol << 16),
	};
	__u64 sum = (__u64)words[0] + words[1] + words[2] + source + destination;

	phx_store32(&ip->version_ihl, words[0]);
	phx_store32(&ip->id, words[1]);
	phx_store32(&ip->ttl, words[2] | (__u32)phx_checksum_finish(sum) << 16);
	ip->source = source;
	ip->destination = destination;
}

PHX_INLINE void phx_write_answer_ipv6(struct phx_ipv6 *ip, __u32 payload, __u8 next_header,
				      const __u64 source[2], const __u64 destination[2])
{
	ip->version_class_label = PHX_SWAP32(6u << 28);
	ip->payload_length = PHX_SWAP16(payload);
	ip->next_header = next_header;
	ip->hop_limit = PHX_ANSWER_TTL;
	ip->source[0] = source[0];
	ip->source[1] = source[1];
	ip->destination[0] = destination[0];
	ip->destination[1] = destination[1];
}

/* ------------------------------------------------------------------------------------------ TCP: a reset */

/*
 * The reset of a segment to a port where nobody listens (RFC 9293 section 3.10.7.1). segment: its bytes,
 * header included. pseudo: the sum of the addresses. Returns 0, with the header untouched, for a segment that
 * gets none: another reset, or one whose data offset lies.
 */
PHX_INLINE int phx_reset_tcp(struct phx_tcp *tcp, __u32 segment, __u64 pseudo)
{
	__u32 header = (tcp->data_offset >> 4) * 4u;
	__u32 ports = phx_load32(tcp), sequence = 0, acknowledgment = 0;
	__u8 flags = PHX_TCP_RST;

	if (tcp->flags & PHX_TCP_RST || header < PHX_TCP_HEADER || header > segment)
		return 0;
	if (tcp->flags & PHX_TCP_ACK) {
		sequence = tcp->acknowledgment;
	} else {
		flags |= PHX_TCP_ACK;
		acknowledgment = PHX_SWAP32(PHX_SWAP32(tcp->sequence) + segment - header +
					    !!(tcp->flags & PHX_TCP_SYN) + !!(tcp->flags & PHX_TCP_FIN));
	}
	__u32 words[5] = {
		ports >> 16 | ports << 16,
		sequence,
		acknowledgment,
		PHX_SWAP32((PHX_TCP_HEADER / 4) << 28 | (__u32)flags << 16),
		0,
	};
	__u64 sum = pseudo + phx_pseudo_sum(PHX_TCP_HEADER, PHX_PROTOCOL_TCP) + words[0] + words[1] +
		    words[2] + words[3];

	words[4] = phx_checksum_finish(sum);
	for (int i = 0; i < 5; i++)
		((phx_wire32 *)tcp)[i] = words[i];
	return 1;
}

/* Returns 0, with the packet untouched, for a segment that gets none. The rest is to be cut off. */
PHX_INLINE int phx_reset_ipv4(struct phx_ipv4 *ip, struct phx_tcp *tcp)
{
	__u32 client = ip->source, vip = ip->destination;
	__u32 segment = PHX_SWAP16(ip->length) - (__u32)sizeof(*ip);

	if (!phx_reset_tcp(tcp, segment, (__u64)client + vip))
		return 0;
	phx_write_answer_ipv4(ip, sizeof(*ip) + PHX_TCP_HEADER, PHX_PROTOCOL_TCP, vip, client);
	return 1;
}

/* Returns 0, with the packet untouched, for a segment that gets none. The rest is to be cut off. */
PHX_INLINE int phx_reset_ipv6(struct phx_ipv6 *ip, struct phx_tcp *tcp)
{
	const __u64 client[2] = {ip->source[0], ip->source[1]};
	const __u64 vip[2] = {ip->destination[0], ip->destination[1]};
	__u32 segment = PHX_SWAP16(ip->payload_length);

	if (!phx_reset_tcp(tcp, segment, phx_sum_ipv6_addresses(ip)))
		return 0;
	phx_write_answer_ipv6(ip, PHX_TCP_HEADER, PHX_PROTOCOL_TCP, vip, client);
	return 1;
}

/* -------------------------------------------------------------------------------- UDP: port unreachable */

/* The header and 8 bytes (RFC 792) tell the client which socket it is about. */
#define PHX_QUOTE_IPV4 ((__u32)sizeof(struct phx_ipv4) + PHX_UDP_HEADER)
/* As much as fits into the smallest MTU of IPv6 (RFC 4443 section 2.4 c). */
#define PHX_QUOTE_MAX_IPV6 (1280u - (__u32)sizeof(struct phx_ipv6) - (__u32)sizeof(struct phx_icmp))

/* The error behind its Ethernet header; in IPv6 the rest of the quote follows. */
struct phx_unreachable_ipv4 {
	struct phx_ipv4 ip;
	struct phx_icmp icmp;
	struct phx_ipv4 quote;
	phx_wire32 quoted_udp[2];
};
PHX_ASSERT(sizeof(struct phx_unreachable_ipv4) == 56, "ICMP error");
struct phx_unreachable_ipv6 {
	struct phx_ipv6 ip;
	struct phx_icmp icmp;
	struct phx_ipv6 quote;
};
PHX_ASSERT(sizeof(struct phx_unreachable_ipv6) == 88, "ICMPv6 error");

/* Bytes that go before the quote. */
#define PHX_UNREACHABLE_PUSH_IPV4 ((int)(sizeof(struct phx_ipv4) + sizeof(struct phx_icmp)))
#define PHX_UNREACHABLE_PUSH_IPV6 ((int)(sizeof(struct phx_ipv6) + sizeof(struct phx_icmp)))

/* length: of the IPv6 packet. Returns how many bytes of it the error quotes. */
PHX_INLINE __u32 phx_quote_ipv6(__u32 length)
{
	return length < PHX_QUOTE_MAX_IPV6 ? length : PHX_QUOTE_MAX_IPV6;
}

PHX_INLINE void phx_write_icmp_error(struct phx_icmp *icmp, __u8 type, __u8 code, __u64 sum)
{
	__u16 type_and_code = (__u16)(type | code << 8);

	phx_store32(icmp, type_and_code | (__u32)phx_checksum_finish(sum + type_and_code) << 16);
	icmp->id_sequence = 0; /* unused */
}

/* error: ends with the quoted bytes, which lie in place. */
PHX_INLINE void phx_write_unreachable_ipv4(struct phx_unreachable_ipv4 *error)
{
	const phx_wire32 *words = (const phx_wire32 *)&error->quote;
	__u64 sum = 0;

	for (__u32 i = 0; i < PHX_QUOTE_IPV4 / 4; i++)
		sum += words[i];
	phx_write_icmp_error(&error->icmp, PHX_ICMP_UNREACHABLE, PHX_ICMP_PORT_UNREACHABLE, sum);
	phx_write_answer_ipv4(&error->ip, sizeof(error->ip) + sizeof(error->icmp) + PHX_QUOTE_IPV4,
			      PHX_PROTOCOL_ICMP, error->quote.destination, error->quote.source);
}

/* The sum of the bytes from `at` to `end`, of which there are PHX_QUOTE_MAX_IPV6 at most. */
PHX_INLINE __u64 phx_sum_quote(const __u8 *at, const __u8 *end)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < PHX_QUOTE_MAX_IPV6 / 4 && at + 4 <= end; i++, at += 4)
		sum += phx_load32(at);
	if (at + 2 <= end) {
		sum += *(const phx_wire16 *)at;
		at += 2;
	}
	return at + 1 <= end ? sum + *at : sum;
}

/* error, end: ends with the quoted bytes, which lie in place. */
PHX_INLINE void phx_write_unreachable_ipv6(struct phx_unreachable_ipv6 *error, const __u8 *end)
{
	const __u64 client[2] = {error->quote.source[0], error->quote.source[1]};
	const __u64 vip[2] = {error->quote.destination[0], error->quote.destination[1]};
	__u32 length = (__u32)(end - (const __u8 *)&error->icmp);
	__u64 sum = phx_sum_ipv6_addresses(&error->quote) + phx_pseudo_sum(length, PHX_PROTOCOL_ICMPV6) +
		    phx_sum_quote((const __u8 *)&error->quote, end);

	phx_write_icmp_error(&error->icmp, PHX_ICMPV6_UNREACHABLE, PHX_ICMPV6_PORT_UNREACHABLE, sum);
	phx_write_answer_ipv6(&error->ip, length, PHX_PROTOCOL_ICMPV6, vip, client);
}

#endif /* PHALANX_LIB_REJECT_H */

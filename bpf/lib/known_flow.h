/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that a socket of this host was lately seen to have (map `agent_known`): asking the kernel for
 * the socket costs more than all the rest of the agent, so it is asked once in a while, not for every packet.
 *
 * A row is one word, identity + epoch: the identity of a flow is 64 bits of a keyed hash, the epoch counts
 * the time when a socket in state ESTABLISHED was found for it. A row speaks for a flow if what is left
 * without its identity is one of the last PHX_KNOWN_EPOCHS epochs. There is one place for a flow, and who
 * comes later takes it; every load and store is of the whole word, so that there is nothing to lock.
 *
 * What if a row is believed and wrong? Then the packet is delivered here, and the stack answers a segment
 * that it does not know by RST, which ends a connection that may live elsewhere. Two ways lead there:
 *
 * 1. Another flow has the same identity. The hash is multiply-shift (Dietzfelbinger et al. 1997; Thorup, High
 *    Speed Hashing for Integers and Strings, section 3.5), twice, with keys that are random and secret: the
 *    upper 32 bits of sum(key[i] * word[i]) mod 2^64. Whatever two flows somebody chooses, and be it on
 *    purpose, the upper halves differ by a given value with a probability of at most 2^-31, hence both with
 *    2^-62, and by one of PHX_KNOWN_EPOCHS values with 2^-60. (The slot hash would not do: it is made to
 *    spread, and two flows that collide whatever the seed is can be computed.) With all rows taken, a packet
 *    of an unknown flow is taken for a known one with at most 2^-42: at a million such flows a second, all of
 *    which must be somebody's live connections to do harm, once in 50 days.
 *
 * 2. The socket is gone since. It was here within the last PHX_KNOWN_EPOCHS epochs, so no other host has it:
 *    RST is the right answer, which the client would get without this memory too, from the last hop. It is
 *    wrong only if the client meanwhile uses the same address and port for another connection, whose SYN
 *    another host got. A SYN is never believed and erases the row, so one that came through here leaves
 *    nothing behind; one that did not needs a slot that moved away and back, or two nodes that disagree, all
 *    within a second of the last question about the former connection, of which no FIN or RST came through
 *    here either, for these erase the row as well. After an ordinary end a client keeps its port for a minute
 *    (TIME-WAIT, RFC 9293 section 3.6.1).
 *
 * Only ESTABLISHED is remembered: who is closing, in a handshake or in time-wait is asked for each time.
 */
#ifndef PHALANX_LIB_KNOWN_FLOW_H
#define PHALANX_LIB_KNOWN_FLOW_H

#include "lib/wire.h"

/*
 * An epoch is 32 jiffies, and the kernel has at least 100 of them a second: what is believed is less than 96
 * jiffies old, which is 0.1 to 1 s.
 */
#define PHX_KNOWN_EPOCH_SHIFT 5
#define PHX_KNOWN_EPOCHS      3u

/* Without pattern: of Mix13's finalizer (Stafford, 2011). */
#define PHX_KNOWN_ODD 0xbf58476d1ce4e5b9ull

struct phx_segment {
	__u64 identity;
	__u8 flags; /* PHX_TCP_* */
};

/* Sums of each half of the identity. */
struct phx_flow_sums {
	__u64 first;
	__u64 second;
};

PHX_INLINE void phx_add_word(struct phx_flow_sums *sums, const volatile struct phx_agent_flow_keys *keys,
			     __u32 index, __u32 word)
{
	sums->first += keys->first[index] * word;
	sums->second += keys->second[index] * word;
}

PHX_INLINE __u64 phx_flow_identity_of(const struct phx_flow_sums *sums)
{
	return (sums->first & 0xffffffff00000000ull) | sums->second >> 32;
}

/*
 * The row that may speak for the flow. Not bits of the identity as they are: sums are linear, so that by bad
 * luck with the keys all ports that are a certain number apart would share a row with each other.
 */
PHX_INLINE __u32 phx_known_place(__u64 identity)
{
	return (__u32)((identity ^ identity >> 32) * PHX_KNOWN_ODD >> 46);
}
PHX_ASSERT(PHX_AGENT_KNOWN_ROWS == 1u << (64 - 46), "the upper bits choose the row");

/* jiffies: of the kernel's, 64 bits. */
PHX_INLINE __u64 phx_known_epoch(__u64 jiffies)
{
	return jiffies >> PHX_KNOWN_EPOCH_SHIFT;
}

/* What a row holds from now on. */
PHX_INLINE __u64 phx_known_row(__u64 identity, __u64 epoch)
{
	return identity + epoch;
}

PHX_INLINE int phx_is_known(__u64 row, __u64 identity, __u64 epoch)
{
	return epoch - (row - identity) < PHX_KNOWN_EPOCHS;
}

/* Whether a segment with these flags may be taken on the word of a row; one that may not erases the row. */
PHX_INLINE int phx_may_be_believed(__u8 flags)
{
	return !(flags & (PHX_TCP_SYN | PHX_TCP_FIN | PHX_TCP_RST));
}

PHX_INLINE int phx_segment_ipv4(const __u8 *at, const __u8 *end,
				const volatile struct phx_agent_flow_keys *keys, struct phx_segment *segment)
{
	const struct phx_ipv4 *ip = (const struct phx_ipv4 *)at;
	const struct phx_tcp *tcp = (const struct phx_tcp *)(ip + 1);
	struct phx_flow_sums sums = {};

	if ((const __u8 *)(tcp + 1) > end)
		return 0;
	if (ip->version_ihl != PHX_IPV4_PLAIN || ip->protocol != PHX_PROTOCOL_TCP ||
	    ip->fragment & PHX_SWAP16(PHX_IPV4_FRAGMENT_MASK) ||
	    phx_swapped_length(ip->length) < sizeof(*ip) + sizeof(*tcp))
		return 0;
	phx_add_word(&sums, keys, 0, ip->source);
	phx_add_word(&sums, keys, 1, ip->destination);
	phx_add_word(&sums, keys, 2, phx_load32(tcp)); /* both ports */
	segment->identity = phx_flow_identity_of(&sums);
	segment->flags = tcp->flags;
	return 1;
}

PHX_INLINE int phx_segment_ipv6(const __u8 *at, const __u8 *end,
				const volatile struct phx_agent_flow_keys *keys, struct phx_segment *segment)
{
	const struct phx_ipv6 *ip = (const struct phx_ipv6 *)at;
	const struct phx_tcp *tcp = (const struct phx_tcp *)(ip + 1);
	const __u8 *addresses = (const __u8 *)ip->source;
	struct phx_flow_sums sums = {};

	if ((const __u8 *)(tcp + 1) > end)
		return 0;
	if (*at >> 4 != 6 || ip->next_header != PHX_PROTOCOL_TCP ||
	    phx_swapped_length(ip->payload_length) < sizeof(*tcp))
		return 0;
#ifdef __bpf__
#pragma clang loop unroll(full)
#endif
	for (__u32 i = 0; i < PHX_AGENT_FLOW_WORDS; i++) /* both addresses, and behind them both ports */
		phx_add_word(&sums, keys, i, phx_load32(addresses + i * sizeof(__u32)));
	segment->identity = phx_flow_identity_of(&sums);
	segment->flags = tcp->flags;
	return 1;
}

/*
 * at: an inner packet of this family. Returns 0 where it is no TCP segment that is plain (parse.h) and whole:
 * such ones are asked for.
 */
PHX_INLINE int phx_parse_segment(const __u8 *at, const __u8 *end, __u8 family,
				 const volatile struct phx_agent_flow_keys *keys, struct phx_segment *segment)
{
	return family == PHX_FAMILY_IPV4 ? phx_segment_ipv4(at, end, keys, segment)
					 : phx_segment_ipv6(at, end, keys, segment);
}

#endif /* PHALANX_LIB_KNOWN_FLOW_H */

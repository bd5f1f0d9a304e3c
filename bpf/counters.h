/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The counters of both programs: part of the contract (phalanx.h), which includes it. */
#ifndef PHALANX_COUNTERS_H
#define PHALANX_COUNTERS_H

/*
 * Counters of the balancer. X(NAME, label, help): the enumerator is PHX_COUNTER_<NAME>; the CLI shows the
 * label, the metric is phalanx_<label>_total. "passed" means handed to the node's own kernel, unchanged.
 * Foreign packets are passed and not counted: the path must cost them nothing. New ones go behind the others,
 * so that a newer program goes on with the counts of an older one.
 */
#define PHX_COUNTERS(X)                                                                                      \
	X(SENT, sent, "packets to a backend sent back through the interface they came in by")                \
	X(REDIRECTED, redirected, "packets to a backend sent through another interface")                     \
	X(BY_BACKUP, by_backup, "packets given to a slot's backup because its primary is down")              \
	X(BY_FLOW, by_flow, "packets of tracked slots given to whom the flow table names")                   \
	X(BY_PREVIOUS, by_previous, "packets of tracked slots that nobody remembered, given to previous")    \
	X(REMEMBERED, remembered, "flows put into the flow table")                                           \
	X(LAST_GOOD, last_good, "packets given to a primary that is down, by the last-good rule")            \
	X(REJECTED, rejected, "packets refused by a TCP reset or ICMP unreachable: no backend was up")       \
	X(NO_BACKEND_DROPPED, no_backend_dropped,                                                            \
	  "packets dropped because the slot's primary and backup are both down")                             \
	X(NO_TABLE_DROPPED, no_table_dropped,                                                                \
	  "packets dropped because the row of their service or slot is missing")                             \
	X(NO_HEADROOM_DROPPED, no_headroom_dropped,                                                          \
	  "packets dropped because the driver left no room for what goes before them")                       \
	X(TTL_ANSWERED, ttl_answered, "packets whose TTL ended here answered by ICMP time exceeded")         \
	X(TTL_DROPPED, ttl_dropped, "packets whose TTL ended here dropped without an answer")                \
	X(TOO_BIG_ANSWERED, too_big_answered,                                                                \
	  "packets too big for the way to their backend answered by ICMP with the size that fits")           \
	X(TOO_BIG_DROPPED, too_big_dropped,                                                                  \
	  "packets too big for the way to their backend dropped without an answer")                          \
	X(ANSWERS_LIMITED, answers_limited, "ICMP errors not sent because of their rate limit")              \
	X(FRAGMENT_RECORDED, fragment_recorded,                                                              \
	  "datagrams whose first fragment went on, or was passed, and was recorded")                         \
	X(BY_RECORD, by_record, "later fragments given to whom the first one of their datagram went")        \
	X(FRAGMENT_EARLY_DROPPED, fragment_early_dropped,                                                    \
	  "later fragments to a VIP dropped because no first one was recorded")                              \
	X(FRAGMENT_ORPHAN_DROPPED, fragment_orphan_dropped,                                                  \
	  "later fragments dropped because their datagram's backend is not up any more")                     \
	X(RETURNED, returned, "answers of nat backends sent to their clients as the VIP's")                  \
	X(RETURNED_BY_KERNEL, returned_by_kernel,                                                            \
	  "answers of nat backends made the VIP's, and left to the node's kernel to be sent")                \
	X(RETURN_UNTOUCHED, return_untouched,                                                                \
	  "packets of nat backends passed as they are: for the node itself, or for where it sends nothing")  \
	X(BY_QUOTE, by_quote, "ICMP errors about an answer of a service, given to the backend of the flow")  \
	X(ECHO_ANSWERED, echo_answered, "ICMP and ICMPv6 echo requests to a VIP answered")                   \
	X(ICMP_PASSED, icmp_passed, "other ICMP and ICMPv6 to a VIP that is about no service, passed")       \
	X(UNMATCHED_PASSED, unmatched_passed, "packets to a VIP on a port without service, passed")          \
	X(UNMATCHED_DROPPED, unmatched_dropped,                                                              \
	  "packets to a VIP on a port without service or of another protocol, dropped by the VIP's rule")    \
	X(UNMATCHED_REJECTED, unmatched_rejected,                                                            \
	  "packets to a VIP on a port without service refused by a TCP reset or ICMP unreachable")           \
	X(PROTOCOL_PASSED, protocol_passed, "packets to a VIP of another protocol, passed")                  \
	X(EXTENSION_PASSED, extension_passed,                                                                \
	  "packets to a VIP with more IPv6 extension headers than are walked, passed")                       \
	X(MALFORMED_PASSED, malformed_passed, "packets to a VIP with a truncated or lying header, passed")   \
	X(BY_FIB, by_fib,                                                                                    \
	  "packets to a backend whose next hop the kernel's FIB named, the daemon's liveness being stale")   \
	X(KEPT, kept, "packets to a backend that is this very host, given to its agent")

enum phx_counter {
#define PHX_X(name, label, help) PHX_COUNTER_##name,
	PHX_COUNTERS(PHX_X)
#undef PHX_X
	/* clang-format off */
	PHX_COUNTER_COUNT
	/* clang-format on */
};

/* Counters of the agent; the metric and label rules are those of PHX_COUNTERS, with prefix phalanx_agent_. */
#define PHX_AGENT_COUNTERS(X)                                                                                \
	X(DECAPSULATED_4IN4, decapsulated_4in4, "IPv4 packets taken out of IPv4 tunnels")                    \
	X(DECAPSULATED_6IN4, decapsulated_6in4, "IPv6 packets taken out of IPv4 tunnels")                    \
	X(DECAPSULATED_4IN6, decapsulated_4in6, "IPv4 packets taken out of IPv6 tunnels")                    \
	X(DECAPSULATED_6IN6, decapsulated_6in6, "IPv6 packets taken out of IPv6 tunnels")                    \
	X(DECAPSULATED_GUE_4IN4, decapsulated_gue_4in4, "IPv4 packets taken out of GUE over IPv4")           \
	X(DECAPSULATED_GUE_6IN4, decapsulated_gue_6in4, "IPv6 packets taken out of GUE over IPv4")           \
	X(DECAPSULATED_GUE_4IN6, decapsulated_gue_4in6, "IPv4 packets taken out of GUE over IPv6")           \
	X(DECAPSULATED_GUE_6IN6, decapsulated_gue_6in6, "IPv6 packets taken out of GUE over IPv6")           \
	X(REFUSED_SOURCE, refused_source,                                                                    \
	  "tunnel packets for a VIP dropped because their source is not a configured node")                  \
	X(REFUSED_INNER, refused_inner,                                                                      \
	  "tunnel packets from a node dropped because the inner packet is truncated or not what the outer "  \
	  "says")                                                                                            \
	X(REFUSED_CONGESTED, refused_congested,                                                              \
	  "tunnel packets dropped because a router marked them as congested and their sender is not "        \
	  "ECN-capable")                                                                                     \
	X(REFUSED_VERSION, refused_version, "GUE packets from a node dropped because of their version")      \
	X(REFUSED_CONTROL, refused_control, "GUE control messages from a node dropped")                      \
	X(REFUSED_FLAGS, refused_flags, "GUE packets from a node dropped because of flags unknown here")     \
	X(REFUSED_PROTOCOL, refused_protocol, "GUE packets from a node dropped because they carry no IP")    \
	X(FRAGMENT_PASSED, fragment_passed, "fragmented tunnel packets, passed to the kernel")               \
	X(OPTIONS_PASSED, options_passed, "tunnel packets with IPv4 options, passed to the kernel")          \
	X(NOT_VIP_PASSED, not_vip_passed,                                                                    \
	  "tunnel packets from a node for an address that is no VIP, passed to the kernel")                  \
	X(NO_ROOM_DROPPED, no_room_dropped,                                                                  \
	  "tunnel packets dropped because the outer header could not be removed or replaced")                \
	X(ACCEPTED_ESTABLISHED, accepted_established,                                                        \
	  "packets with hops taken because a socket here has their flow")                                    \
	X(ACCEPTED_SYN, accepted_syn, "SYNs with hops taken because a socket here listens")                  \
	X(ACCEPTED_COOKIE, accepted_cookie,                                                                  \
	  "packets with hops taken because they acknowledge a SYN cookie of this host")                      \
	X(ACCEPTED_UNCONNECTED, accepted_unconnected,                                                        \
	  "UDP packets with hops taken because a socket here takes them from anybody")                       \
	X(ACCEPTED_QUOTE, accepted_quote,                                                                    \
	  "ICMP errors with hops taken because a socket here has the flow that they quote")                  \
	X(ACCEPTED_NO_FLOW, accepted_no_flow,                                                                \
	  "packets with hops taken because they tell no flow: fragments, echo requests, other protocols")    \
	X(ACCEPTED_LAST_HOP, accepted_last_hop, "packets taken because all hops have had them")              \
	X(ACCEPTED_LOOP, accepted_loop,                                                                      \
	  "packets of unknown flows taken because their next hop has had them")                              \
	X(ACCEPTED_NOT_PEER, accepted_not_peer,                                                              \
	  "packets of unknown flows taken because their next hop is no configured peer")                     \
	X(ACCEPTED_NO_ADDRESS, accepted_no_address,                                                          \
	  "packets of unknown flows taken because this host has no address of their next hop's family")      \
	X(PASSED_ON, passed_on, "packets of unknown flows passed on to their next hop")                      \
	X(HOP_TTL_DROPPED, hop_ttl_dropped, "packets of unknown flows dropped because their TTL ended here") \
	X(HOP_TOO_BIG_DROPPED, hop_too_big_dropped,                                                          \
	  "packets of unknown flows dropped because they are too big for the way to their next hop")         \
	X(HOPS_UNKNOWN_DROPPED, hops_unknown_dropped,                                                        \
	  "GUE packets dropped because their private data is no version of hops known here")                 \
	X(HOPS_CUT_DROPPED, hops_cut_dropped, "GUE packets dropped because their hops end before the last")  \
	X(HOPS_TRAILING_DROPPED, hops_trailing_dropped,                                                      \
	  "GUE packets dropped because their private data goes on behind the last hop")                      \
	X(HOPS_BEYOND_DROPPED, hops_beyond_dropped,                                                          \
	  "GUE packets dropped because more hops have had them than there are")

enum phx_agent_counter {
#define PHX_X(name, label, help) PHX_AGENT_COUNTER_##name,
	PHX_AGENT_COUNTERS(PHX_X)
#undef PHX_X
	/* clang-format off */
	PHX_AGENT_COUNTER_COUNT
	/* clang-format on */
};

#endif /* PHALANX_COUNTERS_H */

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The packet path as another version of Phalanx might bring it: the same maps and the same doing, in other
 * instructions, so that its tag tells which one an interface has.
 */
#include <phalanx.h>

#undef PHX_DATAGRAM_LIFE_S
#define PHX_DATAGRAM_LIFE_S 29u

#include "balancer.bpf.c"

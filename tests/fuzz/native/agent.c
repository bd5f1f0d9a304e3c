// SPDX-License-Identifier: Apache-2.0
#include "agent.bpf.c"
#include "native/program.h"

const struct native_map_declaration agent_maps[] = {
    NATIVE_MAP(agent_vips),
    NATIVE_MAP(agent_nodes),
    NATIVE_MAP(agent_peers),
    NATIVE_MAP(agent_known),
    NATIVE_MAP(agent_reopened),
    NATIVE_MAP(agent_counters),
    {0},
};

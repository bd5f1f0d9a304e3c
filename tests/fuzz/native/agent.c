// SPDX-License-Identifier: Apache-2.0
// As good as drawn: odd, and no two alike.
#define FLOW_KEYS_AT_FIRST                                                                                   \
  {                                                                                                          \
    {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0xd6e8feb86659fd93, 0xa0761d6478bd642f,     \
     0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3, 0x589965cc75374cc3, 0x1d8e4e27c47d124f},                        \
        {0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53, 0x87c37b91114253d5, 0x4cf5ad432745937f, 0x52dce729da3ed6d1, \
         0x38495ab56f3a8b29, 0x9fb21c651e98df25, 0xda942042e4dd58b5, 0x2127599bf4325c37},                    \
  }
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

/* SPDX-License-Identifier: Apache-2.0 */
/* The programs, compiled natively, and what their declarations of maps say at run time. */
#ifndef PHALANX_NATIVE_PROGRAM_H
#define PHALANX_NATIVE_PROGRAM_H

#ifdef __cplusplus
extern "C" {
#endif

struct xdp_md;

struct native_map_declaration {
  const char* name;
  void** declared; /* the program's variable, whose first word comes to point to the map */
  int type;        /* BPF_MAP_TYPE_* */
  unsigned key_size, value_size, max_entries;
};

#define NATIVE_MAP(map)                                                              \
  {                                                                                  \
    .name = #map, .declared = (void**)&map, .type = sizeof(*map.type) / sizeof(int), \
    .key_size = sizeof(*map.key), .value_size = sizeof(*map.value),                  \
    .max_entries = sizeof(*map.max_entries) / sizeof(int),                           \
  }

/* A row without name ends each. */
extern const struct native_map_declaration balancer_maps[], agent_maps[];
int phalanx_xdp(struct xdp_md* ctx);
int phalanx_agent_xdp(struct xdp_md* ctx);

#ifdef __cplusplus
}
#endif

#endif /* PHALANX_NATIVE_PROGRAM_H */

// SPDX-License-Identifier: Apache-2.0
#include "balancer.bpf.c"
#include "native/program.h"

const struct native_map_declaration balancer_maps[] = {
    NATIVE_MAP(vips),       NATIVE_MAP(vip_filter),      NATIVE_MAP(vip_cache),
    NATIVE_MAP(services),   NATIVE_MAP(slots),           NATIVE_MAP(backends),
    NATIVE_MAP(flows),      NATIVE_MAP(answers),         NATIVE_MAP(fragments),
    NATIVE_MAP(interfaces), NATIVE_MAP(nat_sources),     NATIVE_MAP(service_traffic),
    NATIVE_MAP(counters),   NATIVE_MAP(backend_traffic), {0},
};

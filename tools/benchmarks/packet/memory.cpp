// SPDX-License-Identifier: Apache-2.0
#include "packet/memory.hpp"

#include <bpf/libbpf.h>

#include <fstream>

#include "balancer.skel.h"

namespace phalanx::bench {
namespace {

constexpr double kSlotsOfService = 65536;

// What /proc says of the map's descriptor: the bytes that the kernel accounts for it (exact since Linux 6.4).
double bytes_of(const bpf_map* map) {
  std::ifstream file("/proc/self/fdinfo/" + std::to_string(bpf_map__fd(map)));
  std::string word;
  double bytes = 0;
  while (file >> word) {
    if (word == "memlock:" && file >> bytes) return bytes;
  }
  throw BenchError(std::string("ask for the memory of the map ") + bpf_map__name(map) +
                   ": /proc/self/fdinfo does not tell; mount /proc");
}

double bytes_of_rows(const bpf_map* map, double rows) {
  return bytes_of(map) / bpf_map__max_entries(map) * rows;
}

}  // namespace

std::vector<Figure> measure_memory(const BalancerSetup& balancer) {
  const balancer_bpf& object = balancer.object();
  double idle = 0;
  const bpf_map* map = nullptr;
  while ((map = bpf_object__next_map(object.obj, map)) != nullptr) idle += bytes_of(map);
  const double table =
      bytes_of_rows(object.maps.slots, kSlotsOfService) + bytes_of_rows(object.maps.services, 1) +
      bytes_of_rows(object.maps.service_traffic, 1) + bytes_of_rows(object.maps.vips, PHX_VIPS_PER_SERVICE);
  return {figure_of("memory.idle", "MiB", {idle / (1024 * 1024)}),
          figure_of("table.memory", "KiB", {table / 1024})};
}

}  // namespace phalanx::bench

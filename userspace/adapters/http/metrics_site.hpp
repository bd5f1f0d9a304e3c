// SPDX-License-Identifier: Apache-2.0
// What node.http serves: GET /metrics for Prometheus, GET / for people. Nothing here changes anything.
#pragma once

#include <functional>
#include <string>

#include "adapters/http/router.hpp"

namespace phalanx::adapters {

struct MetricsSite {
  std::function<std::string()> metrics;  // text exposition format 0.0.4
  std::function<std::string()> page;     // HTML
};

Router metrics_routes(MetricsSite site);

}  // namespace phalanx::adapters

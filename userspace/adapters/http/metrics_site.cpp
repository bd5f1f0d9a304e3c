// SPDX-License-Identifier: Apache-2.0
#include "adapters/http/metrics_site.hpp"

#include <utility>

#include "adapters/view/metrics.hpp"

namespace phalanx::adapters {

Router metrics_routes(MetricsSite site) {
  Router router;
  router.add("GET", "/metrics", [metrics = std::move(site.metrics)](const Request&, const Reply& reply) {
    reply.send({200, kMetricsContentType, metrics(), ""});
  });
  router.add("GET", "/", [page = std::move(site.page)](const Request&, const Reply& reply) {
    reply.send({200, "text/html; charset=utf-8", page(), ""});
  });
  return router;
}

}  // namespace phalanx::adapters

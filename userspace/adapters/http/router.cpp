// SPDX-License-Identifier: Apache-2.0
#include "adapters/http/router.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "adapters/view/views.hpp"

namespace phalanx::adapters {
namespace {

std::vector<std::string> segments_of(const std::string& path) {
  std::vector<std::string> segments;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find('/', begin + 1), path.size());
    segments.push_back(path.substr(begin, end - begin));
    begin = end;
  }
  return segments;
}

// Returns what stood for "*" in `name`.
bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path,
             std::string& name) {
  if (pattern.size() != path.size()) {
    return false;
  }
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == "/*" && path[i].size() > 1) {
      name = path[i].substr(1);
    } else if (pattern[i] != path[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

Response error_response(int status, const std::string& sentence) {
  return {status, "application/json", write_json({{"error", sentence}}) + "\n", ""};
}

void Router::add(std::string method, std::string pattern, Handler handler) {
  entries_.push_back({std::move(method), segments_of(pattern), std::move(handler)});
}

void Router::dispatch(Request& request, const Reply& reply) const {
  const std::vector<std::string> path = segments_of(request.path);
  std::string allow;
  for (const Entry& entry : entries_) {
    if (!matches(entry.segments, path, request.name)) {
      continue;
    }
    if (entry.method == request.method) {
      entry.handler(request, reply);
      return;
    }
    allow += (allow.empty() ? "" : ", ") + entry.method;
  }
  if (allow.empty()) {
    reply.send(error_response(404, "there is nothing at " + request.path));
    return;
  }
  Response refusal = error_response(405, request.path + " takes " + allow + ", not " + request.method);
  refusal.allow = allow;
  reply.send(std::move(refusal));
}

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "adapters/http/exchange.hpp"

namespace phalanx::adapters {

// {"error": sentence} with that status, 400..599.
Response error_response(int status, const std::string& sentence);

// Method and path to handler.
class Router {
 public:
  using Handler = std::function<void(const Request&, Reply)>;

  // pattern: a path; one of its segments may be "*", which stands for any name (Request::name).
  void add(std::string method, std::string pattern, Handler handler);

  // Calls the handler, or answers 404 or 405 with a sentence.
  void dispatch(Request& request, const Reply& reply) const;

 private:
  struct Entry {
    std::string method;
    std::vector<std::string> segments;
    Handler handler;
  };
  std::vector<Entry> entries_;
};

}  // namespace phalanx::adapters

// SPDX-License-Identifier: Apache-2.0
// The API on the Unix socket: what it offers, and whom it asks. Bodies are JSON, shapes as the views say.
//
//   GET  /v1/status  /v1/services  /v1/backends  /v1/slots/SERVICE
//   GET  /v1/events[?since=TIME][&follow=1]     lines of JSON; empty lines mean nothing
//   POST /v1/route                              lines "PROTO SRC:PORT VIP:PORT" -> lines of JSON
//   POST /v1/reload                             answered when the reload is over
//   POST /v1/backends/NAME/WORD[?service=S]     WORD: disable, enable, drain, undrain
//   POST /v1/backends/NAME/weight?value=N[&service=S]   N: 0..65535, or "config"; answered like reload
//   POST /v1/node/WORD                          WORD: drain, undrain
//
// A refusal is {"error": sentence} with a status of 4xx or 5xx.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/http/router.hpp"
#include "core/event.hpp"
#include "core/result.hpp"

namespace phalanx::adapters {

// All are called on the loop's thread. None may be empty.
struct ApiHandlers {
  std::function<nlohmann::json()> status;
  std::function<nlohmann::json()> services;
  std::function<nlohmann::json()> backends;
  // A failure: no service has that name.
  std::function<Result<nlohmann::json>(const std::string& service)> slots;
  // A line of JSON for each line.
  std::function<Result<std::string>(std::string_view lines)> route;
  // The events kept since then (ns since 1970; absent: all), oldest first, each a JSON object without
  // newline.
  std::function<std::vector<std::string>(std::optional<std::uint64_t> since_ns)> events;
  // Writes a line for every event from now on, until the stream is no longer open().
  std::function<void(Stream)> follow;
  // Calls `done` once, now or later. Its failure says why nothing was changed.
  using ReloadDone = std::function<void(Result<nlohmann::json>)>;
  std::function<void(ReloadDone done)> reload;
  // service: absent, every service that has a backend of that name. A failure: nothing has that name.
  std::function<Result<void>(const std::string& backend, const std::optional<std::string>& service,
                             core::Word word)>
      speak;
  // A failure: the node announces nothing, so that there is nothing to withdraw.
  std::function<Result<void>(bool drained)> drain_node;
  // weight: 0..65535; absent: the configuration's again. Answers like reload, since tables are built.
  std::function<void(const std::string& backend, const std::optional<std::string>& service,
                     std::optional<std::uint16_t> weight, ReloadDone done)>
      set_weight;
};

Router api_routes(ApiHandlers handlers);

}  // namespace phalanx::adapters

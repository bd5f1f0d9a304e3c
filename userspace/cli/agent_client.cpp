// SPDX-License-Identifier: Apache-2.0
#include "cli/agent_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

namespace phalanx::cli {
namespace {

using nlohmann::json;

constexpr long kPatienceMs = 1000;
constexpr std::size_t kMostBytes = std::size_t{1} << 20;
constexpr long kOk = 200;

std::size_t take(char* data, std::size_t size, std::size_t count, void* whose) {
  std::string& body = *static_cast<std::string*>(whose);
  if (body.size() + size * count > kMostBytes) {
    return 0;  // ends the transfer
  }
  body.append(data, size * count);
  return size * count;
}

bool is_of(const json& row, const core::Service& service) {
  const auto vip = core::parse_address(row.at("vip").get<std::string>());
  return vip && row.at("port") == service.port && std::ranges::find(service.vips, *vip) != service.vips.end();
}

}  // namespace

Result<std::uint64_t> connections_in(const std::string& answer, const core::Service& service) {
  try {
    std::uint64_t connections = 0;
    const json document = json::parse(answer);
    for (const json& row : document.at("connections")) {
      connections += is_of(row, service) ? row.at("established").get<std::uint64_t>() : 0;
    }
    return connections;
  } catch (const json::exception&) {
    return fail("the answer is not a phalanx-agent's");
  }
}

Result<std::uint64_t> living_connections(const core::Endpoint& agent, const core::Service& service) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  PHX_CHECK(curl != nullptr);
  const std::string where = to_string(agent);
  const std::string url = "http://" + where + "/v1/status";
  std::string body;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, kPatienceMs);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl_easy_perform(curl.get());
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (code != CURLE_OK || status != kOk) {
    return fail("ask the agent at " + where + ": " +
                (code != CURLE_OK ? curl_easy_strerror(code) : "HTTP status " + std::to_string(status)) +
                "; \"phalanx-agent serve\" answers there");
  }
  Result<std::uint64_t> connections = connections_in(body, service);
  return connections ? connections : fail("ask the agent at " + where + ": " + connections.error().message);
}

}  // namespace phalanx::cli

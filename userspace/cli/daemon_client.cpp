// SPDX-License-Identifier: Apache-2.0
#include "cli/daemon_client.hpp"

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/pinned_node.hpp"

namespace phalanx::cli {
namespace {

constexpr std::chrono::seconds kStartingTime{2};
constexpr std::chrono::milliseconds kRetry{20};
constexpr long kHttpRefusal = 400;

// Gets each piece of a body as it comes, with the status of the answer.
using Sink = std::function<void(long status, std::string_view)>;

struct Transfer {
  CURL* curl;
  const Sink& sink;

  long status() const {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
  }
};

std::size_t take(char* data, std::size_t size, std::size_t count, void* whose) {
  const Transfer& transfer = *static_cast<const Transfer*>(whose);
  transfer.sink(transfer.status(), {data, size * count});
  return size * count;
}

struct Outcome {
  CURLcode code = CURLE_OK;
  long status = 0;
};

Outcome perform(const std::string& socket, const ApiRequest& request, const Sink& sink) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  PHX_CHECK(curl != nullptr);
  const Transfer transfer{curl.get(), sink};
  const std::string url = "http://phalanx" + request.target;
  curl_easy_setopt(curl.get(), CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &transfer);
  if (request.method == "POST") {
    curl_easy_setopt(curl.get(), CURLOPT_POST, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, 0L);
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, "");
  }
  Outcome outcome;
  outcome.code = curl_easy_perform(curl.get());
  outcome.status = transfer.status();
  return outcome;
}

// A daemon takes its lock before it listens.
Outcome perform_patiently(const std::string& socket, const ApiRequest& request, const Sink& sink) {
  const auto deadline = std::chrono::steady_clock::now() + kStartingTime;
  for (;;) {
    const Outcome outcome = perform(socket, request, sink);
    if (outcome.code != CURLE_COULDNT_CONNECT || std::chrono::steady_clock::now() >= deadline) {
      return outcome;
    }
    std::this_thread::sleep_for(kRetry);
  }
}

std::string refusal(const std::string& body) {
  const auto document = nlohmann::json::parse(body, nullptr, false);
  if (document.is_object() && document.contains("error") && document["error"].is_string()) {
    return document["error"].get<std::string>();
  }
  return "the daemon refuses, and gives no reason: " + body;
}

Result<void> judge(const Outcome& outcome, const std::string& socket, long pid, const std::string& body) {
  if (outcome.code != CURLE_OK) {
    return fail("ask the daemon (pid " + std::to_string(pid) + ") on " + socket + ": " +
                curl_easy_strerror(outcome.code) +
                "; --socket must be that of the daemon, and this user must be allowed to use it");
  }
  if (outcome.status >= kHttpRefusal) {
    return fail(refusal(body));
  }
  return {};
}

}  // namespace

Result<std::string> DaemonClient::ask(const ApiRequest& request) const {
  std::string body;
  const Outcome outcome =
      perform_patiently(socket_, request, [&body](long, std::string_view piece) { body += piece; });
  if (auto judged = judge(outcome, socket_, pid_, body); !judged) {
    return Failure(judged.error());
  }
  return body;
}

Result<void> DaemonClient::follow(const ApiRequest& request,
                                  const std::function<void(std::string_view)>& line) const {
  std::string partial;
  const Outcome outcome = perform_patiently(socket_, request, [&](long status, std::string_view piece) {
    partial += piece;
    if (status >= kHttpRefusal) {
      return;
    }
    std::size_t begin = 0;
    for (std::size_t end = partial.find('\n'); end != std::string::npos; end = partial.find('\n', begin)) {
      if (end > begin) {
        line(std::string_view(partial).substr(begin, end - begin));
      }
      begin = end + 1;
    }
    partial.erase(0, begin);
  });
  return judge(outcome, socket_, pid_, partial);
}

Result<DaemonClient> connect_daemon(const std::string& pin_dir, const std::string& socket,
                                    const std::string& purpose) {
  const auto pid = daemon_pid(pin_dir);
  if (!pid) {
    return fail(purpose + ": no daemon runs on " + pin_dir + "; start phalanxd (phalanxd --config FILE)");
  }
  return DaemonClient(socket, *pid);
}

std::string url_encode(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                            std::string_view("-._~").find(c) != std::string_view::npos;
    if (unreserved) {
      encoded += c;
    } else {
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return encoded;
}

}  // namespace phalanx::cli

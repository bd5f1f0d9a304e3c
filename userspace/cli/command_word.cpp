// SPDX-License-Identifier: Apache-2.0
// disable, enable, drain, undrain: the operator's word about a backend.
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/daemon_client.hpp"
#include "cli/drain_wait.hpp"
#include "cli/membership_names.hpp"
#include "cli/output.hpp"
#include "cli/pinned_node.hpp"
#include "daemon/offline.hpp"

namespace phalanx::cli {
namespace {

struct Wording {
  const char* verb;     // the command and the API's word
  const char* outcome;  // "web-2 is OUTCOME in web"
  const char* key;      // of the JSON
  bool value;
};

Wording wording(core::Word word) {
  switch (word) {
    case core::Word::disable:
      return {"disable", "disabled", "disabled", true};
    case core::Word::enable:
      return {"enable", "enabled", "disabled", false};
    case core::Word::drain:
      return {"drain", "draining", "draining", true};
    case core::Word::undrain:
      return {"undrain", "no longer draining", "draining", false};
  }
  return {"disable", "disabled", "disabled", true};
}

// By the daemon if one runs: it alone may write then, and it alone sees flows end.
Result<void> speak(const Arguments& arguments, core::Word word) {
  const Wording words = wording(word);
  const bool offline = word == core::Word::disable || word == core::Word::enable;
  if (offline && !daemon_pid(arguments.pin_dir)) {
    return daemon::speak(arguments.pin_dir, arguments.name, arguments.service, word);
  }
  const auto daemon =
      connect_daemon(arguments.pin_dir, arguments.socket, std::string(words.verb) + " " + arguments.name);
  if (!daemon) {
    return Failure(daemon.error());
  }
  std::string target = "/v1/backends/" + url_encode(arguments.name) + "/" + words.verb;
  if (arguments.service) {
    target += "?service=" + url_encode(*arguments.service);
  }
  const auto answer = daemon->ask({"POST", target});
  return answer ? Result<void>() : Failure(answer.error());
}

// What to expect, and what to do then.
std::string what_happens_next(const Arguments& arguments) {
  const std::string suffix =
      arguments.name + (arguments.service ? " --service " + *arguments.service : std::string());
  return "New flows go elsewhere; those that it serves may end. \"phalanx backends\" shows how many it still "
         "serves,\nunder FLOWS. When none is left, \"phalanx disable " +
         suffix + "\" takes it out, or remove it from the configuration.\n\"phalanx undrain " + suffix +
         "\" takes the word back.\n";
}

void report(const Arguments& arguments, core::Word word, const std::vector<std::string>& services) {
  const Wording words = wording(word);
  print(arguments.name + " is " + words.outcome + " in " + joined(services) + ".\n");
  if (word == core::Word::drain && !arguments.wait) {
    print(what_happens_next(arguments));
  }
}

void report_json(const Arguments& arguments, core::Word word, const std::vector<std::string>& services) {
  const Wording words = wording(word);
  nlohmann::json document = {{"backend", arguments.name}, {"services", services}, {words.key, words.value}};
  if (arguments.wait) {
    document["flows"] = 0;
  }
  print_json(document);
}

}  // namespace

int run_word(const Arguments& arguments, core::Word word) {
  const auto node = open_pinned_node(arguments.pin_dir);
  if (!node) {
    return complain(node.error());
  }
  const auto meant = adapters::find_backend(node->state, arguments.name, arguments.service,
                                            std::string(wording(word).verb) + " the backend");
  if (!meant) {
    return complain(meant.error());
  }
  if (const auto done = speak(arguments, word); !done) {
    return complain(done.error());
  }
  const std::vector<std::string> services = service_names(*meant);
  if (!arguments.json) {
    report(arguments, word, services);
  }
  if (arguments.wait) {
    if (const auto ended = wait_for_drain(arguments); !ended) {
      return complain(ended.error());
    }
  }
  if (arguments.json) {
    report_json(arguments, word, services);
  } else if (arguments.wait) {
    print("It serves no flow any more.\n");
  }
  return kDone;
}

}  // namespace phalanx::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.hpp"

#include <CLI/CLI.hpp>
#include <charconv>

#include "adapters/config/fields.hpp"
#include "cli/commands.hpp"

namespace phalanx::cli {
namespace {

std::chrono::milliseconds read_timeout(const std::string& text) {
  adapters::DocumentNode node;
  node.kind = adapters::DocumentNode::Kind::text;
  node.text = text;
  adapters::Problems problems;
  const auto timeout = adapters::read_duration(adapters::Field{&node, ""}, problems, std::chrono::seconds(1),
                                               std::chrono::hours(24));
  if (!timeout) {
    throw CLI::ValidationError("--timeout", problems.take().front().sentence);
  }
  return *timeout;
}

// Absent: the configuration's.
std::optional<std::uint16_t> read_weight(const std::string& text) {
  if (text == "config") {
    return std::nullopt;
  }
  std::uint16_t weight = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, weight);
  if (error != std::errc{} || stop != end) {
    throw CLI::ValidationError(
        "WEIGHT", adapters::quoted(text) + " is neither a number from 0 to 65535 nor \"config\"");
  }
  return weight;
}

class Grammar {
 public:
  explicit Grammar(Invocation& invocation) : invocation_(invocation), to_(invocation.arguments) {
    app_.add_option("--pin-dir", to_.pin_dir, "where program and maps are pinned, on a mounted bpffs")
        ->capture_default_str()
        ->type_name("DIR");
    app_.add_option("--socket", to_.socket, "Unix socket of the daemon's API")
        ->capture_default_str()
        ->type_name("PATH");
    app_.add_flag("--json", to_.json, "print JSON");
    app_.set_version_flag("--version", "phalanx " + version());
    app_.require_subcommand(1);
    app_.footer(
        "\"phalanx COMMAND --help\" shows examples. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.");
    add_load();
    add_views();
    add_route();
    add_overrides();
    add_node();
    add_daemon();
  }

  CLI::App& app() { return app_; }

 private:
  CLI::App* add(const char* name, const char* description, Command command, const char* example) {
    CLI::App* sub = app_.add_subcommand(name, description);
    sub->fallthrough();  // --pin-dir, --socket and --json are known behind the command too
    sub->footer(std::string("Example: ") + example);
    sub->callback([this, command = std::move(command)] { invocation_.command = command; });
    return sub;
  }

  void add_load() {
    add("up", "load and attach without a daemon; on a loaded node: apply the configuration", run_up,
        "phalanx up --config /etc/phalanx/phalanx.json")
        ->add_option("--config", to_.file, "the node's configuration")
        ->required()
        ->type_name("FILE");
    add("down", "detach from the interfaces and remove all that is pinned", run_down, "phalanx down");
    add("check",
        "print every error of a configuration, each with its place, and warn of MTUs of this host that do "
        "not "
        "leave room for outer headers",
        run_check, "phalanx check /etc/phalanx/phalanx.json")
        ->add_option("FILE", to_.file, "the configuration")
        ->required();
  }

  void add_views() {
    add("status", "show the node, its interfaces and counters", run_status, "phalanx status");
    add("services", "list the services", run_services,
        "phalanx services --json | jq '.[] | select(.backends_up == 0).name'");
    add("backends", "list the backends, with state and reason", run_backends, "phalanx backends");
    CLI::App* slots =
        add("slots", "show a service's slot table and its digest", run_slots, "phalanx slots web --summary");
    slots->add_option("SERVICE", to_.name, "name of the service")->required();
    slots->add_flag("--summary", to_.summary, "without the line for each slot");
  }

  void add_route() {
    CLI::App* route = add("route", "say which backend a packet would go to, how and why", run_route,
                          "phalanx route tcp 203.0.113.7:4099 198.51.100.10:80\n"
                          "         phalanx route tcp '[2001:db8::7]:4099' '[2001:db8::10]:80'\n"
                          "         phalanx route --batch flows.txt");
    CLI::Option* flow = route->add_option("FLOW", to_.flow, "protocol, client and VIP")
                            ->type_name("PROTO SRC:PORT VIP:PORT")
                            ->expected(3);
    route
        ->add_option("--batch", to_.batch,
                     "a flow a line, from a file or - for standard input; prints JSON lines")
        ->type_name("FILE")
        ->excludes(flow);
  }

  CLI::App* add_word(const char* name, const char* description, core::Word word, const char* example) {
    CLI::App* sub = add(
        name, description, [word](const Arguments& arguments) { return run_word(arguments, word); }, example);
    name_backend(*sub);
    return sub;
  }

  void name_backend(CLI::App& sub) {
    sub.add_option("BACKEND", to_.name, "name of the backend")->required();
    sub.add_option("--service", to_.service, "in this service only; default: in every one")->type_name("S");
  }

  void add_overrides() {
    add_word("disable", "take a backend out at once, until \"enable\"; its flows move", core::Word::disable,
             "phalanx disable web-2 --service web");
    add_word("enable", "end a \"disable\"", core::Word::enable, "phalanx enable web-2");
    CLI::App* drain = add_word(
        "drain", "let a backend's flows end: no new ones go to it, until \"undrain\"", core::Word::drain,
        "phalanx drain web-2 --service web\n"
        "         phalanx drain web-2 --wait --timeout 15m && phalanx disable web-2\n"
        "A flow is seen when it sends: --wait ends when none was seen for 10 seconds; or,\n"
        "where the backend's agent is asked (node.agent_port), when no connection lives.");
    CLI::Option* wait = drain->add_flag("--wait", to_.wait, "wait until none of its flows is left");
    drain
        ->add_option_function<std::string>(
            "--timeout", [this](const std::string& text) { to_.timeout = read_timeout(text); },
            "the longest wait, 1s to 24h; default: 10m")
        ->type_name("TIME")
        ->needs(wait);
    add_word("undrain", "end a \"drain\"", core::Word::undrain, "phalanx undrain web-2");
    CLI::App* weight = add("weight", "give a backend another weight than the configuration's", run_weight,
                           "phalanx weight web-2 50\n         phalanx weight web-2 config --service web");
    name_backend(*weight);
    weight
        ->add_option_function<std::string>(
            "WEIGHT", [this](const std::string& text) { to_.weight = read_weight(text); },
            "0 to 65535, or \"config\": the configuration's again")
        ->type_name("N|config")
        ->required();
  }

  void add_node() {
    CLI::App* node = app_.add_subcommand("node", "the operator's word about the whole node");
    node->fallthrough();
    node->require_subcommand(1);
    const auto add_to_node = [&](const char* name, const char* description, bool drained) {
      CLI::App* sub = node->add_subcommand(name, description);
      sub->fallthrough();
      sub->footer(std::string("Example: phalanx node ") + name);
      sub->callback([this, drained] {
        invocation_.command = [drained](const Arguments& arguments) {
          return run_node_word(arguments, drained);
        };
      });
    };
    add_to_node(
        "drain",
        "withdraw the routes to the VIPs, until \"undrain\"; packets that still come are served, over "
        "restarts too",
        true);
    add_to_node("undrain", "end a \"drain\": announce again", false);
    add("guard",
        "run beside the daemon, and withdraw the routes to the VIPs when the program is detached or the "
        "daemon "
        "dead for longer than node.announce.grace",
        run_guard, "phalanx guard --config /etc/phalanx/phalanx.json")
        ->add_option("--config", to_.file, "the node's configuration")
        ->required()
        ->type_name("FILE");
  }

  void add_daemon() {
    CLI::App* events =
        add("events", "print what the daemon saw and did", run_events,
            "phalanx events --follow\n         phalanx events --since 2026-03-01T12:00:00Z --json");
    events->add_flag("--follow", to_.follow, "go on printing new ones");
    events->add_option("--since", to_.since, "only from then on, RFC 3339 in UTC")->type_name("TIME");
    add("reload", "let the daemon read its configuration again, all or nothing", run_reload,
        "phalanx reload");
  }

  CLI::App app_{"phalanx: looks at this node's load balancer and changes it."};
  Invocation& invocation_;
  Arguments& to_;
};

}  // namespace

Invocation read_arguments(int argc, const char* const* argv) {
  Invocation invocation;
  Grammar grammar(invocation);
  try {
    grammar.app().parse(argc, argv);
    if (grammar.app().got_subcommand("route") && invocation.arguments.flow.empty() &&
        invocation.arguments.batch.empty()) {
      throw CLI::RequiredError("a flow, PROTO SRC:PORT VIP:PORT, or --batch");
    }
  } catch (const CLI::ParseError& error) {
    invocation.command = nullptr;
    invocation.exit_code = grammar.app().exit(error) == 0 ? kDone : kWrongUsage;
  }
  return invocation;
}

std::string version() {
  return PHALANX_VERSION;
}

}  // namespace phalanx::cli

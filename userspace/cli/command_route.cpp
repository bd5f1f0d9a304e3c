// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "adapters/view/route.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/pinned_node.hpp"

namespace phalanx::cli {
namespace {

using nlohmann::json;

std::string endpoint(const json& place) {
  auto address = place.at("address").get<std::string>();
  const json& port = place.at("port");
  if (port.is_null()) {
    return address;
  }
  const bool is_ipv6 = address.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + address + "]" : address) + ":" + adapters::write_json(port);
}

// ", then b3 or b4": who gets the packet if it is not for who gets it first.
std::string second_chance(const json& hops) {
  std::string text;
  for (const json& hop : hops.is_null() ? json::array() : hops) {
    text += text.empty() ? ", then " : " or ";
    text += hop.at(hop.at("name").is_null() ? "address" : "name").get<std::string>();
  }
  return text;
}

// ", by gue to 10.0.1.11:6080, then b3": how it gets there.
std::string forwarding(const json& answer) {
  if (answer.at("forward").is_null()) {
    return "";
  }
  const std::string by = ", by " + answer.at("forward").get<std::string>();
  if (!answer.at("outer").is_null()) {
    return by + " to " + endpoint(answer.at("outer")) + second_chance(answer.at("hops"));
  }
  return answer.at("rewritten").is_null() ? by : by + " as " + endpoint(answer.at("rewritten"));
}

void report(const json& answer) {
  std::string text = answer.at("verdict").get<std::string>();
  if (const json& backend = answer.at("backend"); !backend.is_null()) {
    text += " to " + backend.at("name").get<std::string>() + " (" + backend.at("address").get<std::string>() +
            "), the " + answer.at("role").get<std::string>();
  }
  if (!answer.at("slot").is_null()) {
    text += (answer.at("backend").is_null() ? ": slot " : " of slot ") +
            adapters::write_json(answer.at("slot")) + " of " + answer.at("service").get<std::string>();
  }
  print(text + forwarding(answer) + ": " + answer.at("reason").get<std::string>() + "\n");
}

// Returns whether every line was a flow.
bool answer_each(std::istream& lines, const adapters::Route& route) {
  bool all = true;
  for (std::string line; std::getline(lines, line);) {
    const json answer = route.answer_line(line);
    all = all && !answer.contains("error");
    print_json(answer);
  }
  return all;
}

int answer_batch(const Arguments& arguments, const adapters::Route& route) {
  if (arguments.batch == "-") {
    std::ios::sync_with_stdio(false);
    return answer_each(std::cin, route) ? kDone : kFailed;
  }
  std::ifstream file(arguments.batch);
  if (!file) {
    return complain({"read flows from " + arguments.batch +
                     ": it can't be opened; name a readable file, or - for "
                     "standard input"});
  }
  return answer_each(file, route) ? kDone : kFailed;
}

int answer_one(const Arguments& arguments, const adapters::FlowQuery& flow, const adapters::Route& route) {
  const json answer = route.answer(flow);
  if (arguments.json) {
    print_json(answer);
  } else {
    report(answer);
  }
  return kDone;
}

}  // namespace

int run_route(const Arguments& arguments) {
  std::string words;
  for (const std::string& word : arguments.flow) {
    words += word + " ";
  }
  const auto flow = adapters::parse_flow(words);
  if (arguments.batch.empty() && !flow) {
    warn(flow.error().message);
    return kWrongUsage;
  }
  const auto node = open_pinned_node(arguments.pin_dir);
  if (!node) {
    return complain(node.error());
  }
  const auto route = adapters::Route::open(node->state, node->maps);
  if (!route) {
    return complain(route.error());
  }
  return arguments.batch.empty() ? answer_one(arguments, *flow, *route) : answer_batch(arguments, *route);
}

}  // namespace phalanx::cli

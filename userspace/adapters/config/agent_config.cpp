// SPDX-License-Identifier: Apache-2.0
#include "adapters/config/agent_config.hpp"

#include <phalanx.h>

#include <algorithm>
#include <utility>

#include "adapters/config/config_file.hpp"
#include "adapters/config/decode.hpp"
#include "adapters/config/document.hpp"
#include "adapters/config/fields.hpp"

namespace phalanx::adapters {

namespace {

core::Address network_of(const core::Prefix& prefix) {
  core::Address network = prefix.address;
  for (int bit = prefix.length; bit < network.size() * 8; ++bit) {
    network.bytes[static_cast<std::size_t>(bit) / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
  }
  return network;
}

std::optional<core::Prefix> read_prefix(const Field& field, Problems& problems) {
  const auto text = read_text(field, problems);
  if (!text) {
    return std::nullopt;
  }
  const auto prefix = core::parse_prefix(*text);
  if (!prefix) {
    error_at(field, problems, quoted(*text) + " is no address or prefix, such as \"10.0.0.0/24\"");
    return std::nullopt;
  }
  if (const core::Prefix network{network_of(*prefix), prefix->length}; network != *prefix) {
    error_at(field, problems,
             *text + " has bits set beyond its length; write " + to_string(network) + " or one address");
  }
  return prefix;
}

template <typename Value>
void add_once(std::vector<Value>& list, const std::optional<Value>& value, const Field& field,
              Problems& problems) {
  if (!value) {
    return;
  }
  if (std::find(list.begin(), list.end(), *value) != list.end()) {
    error_at(field, problems, field.node->text + " is listed twice");
  }
  list.push_back(*value);
}

void refuse_long(const MaybeField& field, std::size_t most, Problems& problems) {
  if (field && field->node->children.size() > most) {
    error_at(*field, problems, "this list has more than " + std::to_string(most) + " elements");
  }
}

std::vector<core::Prefix> read_prefixes(const MaybeField& field, std::size_t most, Problems& problems) {
  std::vector<core::Prefix> prefixes;
  refuse_long(field, most, problems);
  for (const Field& element : read_list(field, problems)) {
    add_once(prefixes, read_prefix(element, problems), element, problems);
  }
  return prefixes;
}

std::vector<core::Address> read_own_addresses(const MaybeField& field, Problems& problems) {
  std::vector<core::Address> addresses;
  for (const Field& element : read_list(field, problems)) {
    const auto address = read_host_address(element, problems, "the host's own");
    if (address && std::any_of(addresses.begin(), addresses.end(),
                               [&](const core::Address& other) { return other.family == address->family; })) {
      error_at(element, problems, "there is an address of this family already; give one a family");
    } else if (address) {
      addresses.push_back(*address);
    }
  }
  return addresses;
}

std::optional<std::string> read_namespace(const Field& field, Problems& problems) {
  auto text = read_text(field, problems);
  if (text && (text->empty() || (text->front() != '/' && text->find('/') != std::string::npos) ||
               *text == "." || *text == "..")) {
    error_at(field, problems,
             quoted(*text) +
                 " is no network namespace: write a name as \"ip netns\" lists it, or an absolute path");
    return std::nullopt;
  }
  if (text && text->size() >= PHX_AGENT_NAMESPACE_BYTES) {
    error_at(field, problems,
             "this is longer than " + std::to_string(PHX_AGENT_NAMESPACE_BYTES - 1) +
                 " bytes; name the network namespace by \"ip netns attach\"");
    return std::nullopt;
  }
  return text;
}

std::vector<std::string> read_namespaces(const MaybeField& field, Problems& problems) {
  std::vector<std::string> namespaces;
  refuse_long(field, PHX_AGENT_MAX_NAMESPACES, problems);
  for (const Field& element : read_list(field, problems)) {
    add_once(namespaces, read_namespace(element, problems), element, problems);
  }
  return namespaces;
}

AgentConfig decode_agent(const Field& field, Problems& problems) {
  AgentConfig config;
  ObjectReader reader(field, problems);
  set(config.interface, read_interface(reader.required("interface"), problems));
  set(config.xdp_mode, read_xdp_mode(reader.optional("xdp_mode"), problems));
  const auto vips = reader.required("vips");
  refuse_long(vips, PHX_AGENT_MAX_VIPS, problems);
  for (const Field& element : read_list(vips, problems)) {
    add_once(config.vips, read_host_address(element, problems, "a VIP"), element, problems);
  }
  config.nodes = read_prefixes(reader.required("nodes"), PHX_AGENT_MAX_NODES, problems);
  config.peers = read_prefixes(reader.optional("peers"), PHX_AGENT_MAX_PEERS, problems);
  config.addresses = read_own_addresses(reader.optional("addresses"), problems);
  config.namespaces = read_namespaces(reader.optional("namespaces"), problems);
  set(config.gue_port, read_natural(reader.optional("gue_port"), problems, 1, 65535));
  reader.finish();
  return config;
}

}  // namespace

ParsedAgentConfig parse_agent_config(std::string_view text) {
  Problems problems;
  ParsedAgentConfig parsed;
  if (const auto root = read_document(text, problems)) {
    ObjectReader reader({&*root, ""}, problems);
    if (const auto agent = reader.required("agent")) {
      parsed.config = decode_agent(*agent, problems);
    }
    reader.finish();
  }
  if (problems.any_errors()) {
    parsed.config.reset();
  }
  parsed.problems = problems.take();
  return parsed;
}

Result<ParsedAgentConfig> read_agent_config(const std::string& path) {
  auto text = read_config_text(path);
  if (!text) {
    return fail(std::move(text.error().message));
  }
  return parse_agent_config(*text);
}

}  // namespace phalanx::adapters

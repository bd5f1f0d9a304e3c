// SPDX-License-Identifier: Apache-2.0
#include "core/config.hpp"

#include <algorithm>

namespace phalanx::core {

namespace {

constexpr int kIpv4Header = 20;
constexpr int kIpv6Header = 40;
constexpr int kUdpHeader = 8;
constexpr int kGueHeader = 4;
// As bpf/hops.h has them.
constexpr std::size_t kMostHops = 2;
constexpr int kHopsHeader = 4;
constexpr int kIpv4Hop = 4;
constexpr int kIpv6Hop = 16;

}  // namespace

std::string_view to_string(Forward forward) {
  switch (forward) {
    case Forward::ipip:
      return "ipip";
    case Forward::l2:
      return "l2";
    case Forward::gue:
      return "gue";
    case Forward::nat:
      return "nat";
  }
  return "ipip";
}

std::string_view to_string(Unmatched unmatched) {
  switch (unmatched) {
    case Unmatched::pass:
      return "pass";
    case Unmatched::drop:
      return "drop";
    case Unmatched::reject:
      return "reject";
  }
  return "pass";
}

std::optional<Forward> parse_forward(std::string_view word) {
  for (const Forward forward : {Forward::ipip, Forward::l2, Forward::gue, Forward::nat}) {
    if (word == to_string(forward)) {
      return forward;
    }
  }
  return std::nullopt;
}

int outer_size(Forward forward, Family backend) {
  const int ip = backend == Family::ipv4 ? kIpv4Header : kIpv6Header;
  switch (forward) {
    case Forward::ipip:
      return ip;
    case Forward::gue:
      return ip + kUdpHeader + kGueHeader;
    case Forward::l2:
    case Forward::nat:
      return 0;
  }
  return 0;
}

int hops_size(const Service& service) {
  const std::size_t others = service.backends.empty() ? 0 : service.backends.size() - 1;
  const int count = static_cast<int>(std::min(others, kMostHops));
  if (service.forward != Forward::gue || count == 0) {
    return 0;
  }
  const bool any_ipv6 = std::ranges::any_of(service.backends, [](const Backend& backend) {
    return backend.endpoint.address.family == Family::ipv6;
  });
  return kHopsHeader + count * (any_ipv6 ? kIpv6Hop : kIpv4Hop);
}

}  // namespace phalanx::core

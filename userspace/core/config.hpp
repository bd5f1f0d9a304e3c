// SPDX-License-Identifier: Apache-2.0
// The configuration as values, valid by construction: adapters/config refuses what these can't hold.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/address.hpp"

namespace phalanx::core {

enum class Protocol : std::uint8_t { tcp = 6, udp = 17 };
enum class Forward : std::uint8_t { ipip, l2, gue, nat };
enum class CheckType : std::uint8_t { tcp, http };
enum class NoBackend : std::uint8_t { drop, reject, last_good };
enum class Unmatched : std::uint8_t { pass, drop, reject };
enum class Track : std::uint8_t { automatic, all, none };
enum class OnDown : std::uint8_t { move, keep };
enum class XdpMode : std::uint8_t { automatic, native, generic };
enum class OnExit : std::uint8_t { keep, detach };

// The words of the configuration.
std::string_view to_string(Forward forward);
std::string_view to_string(Unmatched unmatched);
std::optional<Forward> parse_forward(std::string_view word);

// Bytes of the headers that take a packet to a backend of that family: 0 where none are put before it.
// Without what gue names for a second chance: hops_size().
int outer_size(Forward forward, Family backend);

struct StatusRange {
  int first = 200;  // 100..599
  int last = 299;   // first..599

  friend auto operator<=>(const StatusRange&, const StatusRange&) = default;
};

// How a backend is probed. Two checks that compare equal probe alike, whatever their names.
struct Check {
  CheckType type = CheckType::tcp;
  std::optional<std::uint16_t> port;           // absent: the backend's
  std::chrono::milliseconds interval{1000};    // 10 ms .. 1 h
  std::chrono::milliseconds timeout{500};      // 1 ms .. interval
  int fall = 3;                                // consecutive failures that take an entry down, 1..100
  int rise = 2;                                // consecutive passes that bring it back, 1..100
  std::string path = "/";                      // http only: origin form, RFC 9112 section 3.2.1
  std::string host;                            // http only: the Host field; empty: the backend's address
  std::vector<StatusRange> expect_status{{}};  // http only: status codes that pass

  friend auto operator<=>(const Check&, const Check&) = default;
};

struct Backend {
  std::string name;  // unique in its service
  Endpoint endpoint;
  std::uint16_t weight = 100;  // 0: holds no slot of the base, comes last in its tier
  std::string zone;
  int tier = 0;  // 0 first, 0..255

  friend bool operator==(const Backend&, const Backend&) = default;
};

struct Service {
  std::string name;
  std::vector<Address> vips;
  std::vector<Protocol> protocols;
  std::uint16_t port = 0;
  Forward forward = Forward::ipip;
  std::uint16_t gue_port = 6080;          // gue only: the outer destination port, 1..65535
  std::optional<std::string> check_name;  // absent: its backends are always up
  std::optional<Check> check;             // what check_name names
  std::uint32_t slots = 65536;            // a power of two, PHX_MIN_SLOTS..PHX_MAX_SLOTS
  std::uint64_t seed = 0;                 // default: hash of the name
  NoBackend no_backend = NoBackend::reject;
  Unmatched unmatched = Unmatched::pass;  // of its VIPs: services that share one agree in it
  Track track = Track::automatic;
  OnDown on_down = OnDown::move;
  std::chrono::milliseconds transition{
      600'000};                             // how long a changed slot's flows are remembered, 1 s .. 24 h
  std::chrono::milliseconds settle{5'000};  // a new backend of a serving service waits, 0 .. 10 min
  std::chrono::milliseconds slow_start{0};  // from a backend's recovery to its full share, 0 .. 1 h
  std::vector<Backend> backends;

  friend bool operator==(const Service&, const Service&) = default;
};

// Bytes of the hops, at most, that packets to its backends name: of gue only (bpf/hops.h).
int hops_size(const Service& service);

struct Limits {
  std::uint32_t services = 1024;
  std::uint32_t backends = 4096;  // backend entries
  std::uint32_t slots = 1048576;  // of all services together
  std::uint32_t flows = 65536;
  std::uint32_t fragments = 16384;  // datagrams whose first fragment is remembered

  friend bool operator==(const Limits&, const Limits&) = default;
};

// The routes to the VIPs, as protocols of the local routing daemon (BIRD) that are enabled and disabled.
struct AnnounceSettings {
  std::string bird = "/run/bird/bird.ctl";         // its control socket: an absolute path
  std::vector<std::string> protocols;              // hold the routes; at least one
  std::vector<std::string> fallback;               // hold the same routes at worse preference; may be empty
  std::chrono::milliseconds grace{60'000};         // how long a daemon may be dead, 1 s .. 24 h
  std::chrono::milliseconds withdraw_wait{2'000};  // from withdrawal to what it was for, 0 .. 5 min

  friend bool operator==(const AnnounceSettings&, const AnnounceSettings&) = default;
};

// Host bits of a tunnel source.
inline constexpr int kMaxSourceBits = 64;

struct Node {
  std::string name;
  std::vector<std::string> interfaces;
  XdpMode xdp_mode = XdpMode::automatic;
  // Host bits, at most kMaxSourceBits and zero here, come from each flow's hash. Absent: the preferred source
  // of the route to the backend.
  std::optional<Prefix> tunnel_source_v4;
  std::optional<Prefix> tunnel_source_v6;
  std::optional<Endpoint> http;  // /metrics
  OnExit on_exit = OnExit::keep;
  bool agent = false;            // this host is a backend too (local_agent.hpp)
  std::uint16_t agent_port = 0;  // where the agents of backends serve what they know; 0: they are not asked
  std::optional<AnnounceSettings> announce;  // absent: the routes to the VIPs are somebody else's concern
  Limits limits;

  friend bool operator==(const Node&, const Node&) = default;
};

struct Config {
  Node node;
  std::vector<Service> services;

  friend bool operator==(const Config&, const Config&) = default;
};

}  // namespace phalanx::core

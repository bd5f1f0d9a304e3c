// SPDX-License-Identifier: Apache-2.0
// What the load client is asked to do, from its command line.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace phalanx::load {

// Where requests go. `text` is as given ("192.0.2.1:80", "[2001:db8::1]:80"), for the report.
struct Target {
  std::string text;
  std::string host;  // the Host header: the address, in brackets for IPv6
  sockaddr_storage address{};
  socklen_t address_length = 0;
};

struct Options {
  std::vector<Target> targets;  // at least one; connection i goes to target i % targets.size()
  std::size_t connections = 200;
  std::chrono::milliseconds interval{20};
  std::chrono::milliseconds timeout{3000};
  std::chrono::milliseconds slow{500};    // a success that took at least this long gets its own line
  std::chrono::milliseconds duration{0};  // 0: until SIGINT or SIGTERM
  std::string path = "/";
  bool fresh = false;          // a new TCP connection for each request
  unsigned requests = 0;       // after about so many the client ends a connection and makes another; 0: never
  bool every_request = false;  // a line for each success too
};

// Parses argv. Prints help or what is wrong and exits by itself, as command line programs do: status 0 for
// --help, 2 for wrong usage.
Options parse_options(int argc, char** argv);

}  // namespace phalanx::load

// SPDX-License-Identifier: Apache-2.0
// phalanx-load: a measuring instrument. Keeps HTTP connections busy and writes down what they felt.
#include <fmt/core.h>

#include <csignal>
#include <cstdio>

#include "load.hpp"
#include "options.hpp"

int main(int argc, char** argv) {
  const phalanx::load::Options options = phalanx::load::parse_options(argc, argv);
  // Blocked before the first descriptor exists, so that no signal is lost: they are read by signalfd.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGUSR1);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    phalanx::load::Load load(options);
    load.run();
  } catch (const phalanx::load::ClientFault& fault) {
    fmt::print(stderr, "phalanx-load: cannot measure: {}\n", fault.sentence);
    return 1;
  }
  return 0;
}

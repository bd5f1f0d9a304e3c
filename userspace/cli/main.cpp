// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.hpp"

int main(int argc, char** argv) {
  const auto invocation = phalanx::cli::read_arguments(argc, argv);
  return invocation.command ? invocation.command(invocation.arguments) : invocation.exit_code;
}

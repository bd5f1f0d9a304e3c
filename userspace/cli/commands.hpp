// SPDX-License-Identifier: Apache-2.0
// A function a command. Each prints its result to standard output, sentences about what went wrong to
// standard error, and returns the exit code.
#pragma once

#include "cli/arguments.hpp"
#include "core/event.hpp"

namespace phalanx::cli {

int run_up(const Arguments& arguments);
int run_down(const Arguments& arguments);
int run_check(const Arguments& arguments);
int run_status(const Arguments& arguments);
int run_services(const Arguments& arguments);
int run_backends(const Arguments& arguments);
int run_slots(const Arguments& arguments);
int run_route(const Arguments& arguments);
int run_word(const Arguments& arguments, core::Word word);
int run_weight(const Arguments& arguments);
int run_node_word(const Arguments& arguments, bool drained);
int run_guard(const Arguments& arguments);
int run_events(const Arguments& arguments);
int run_reload(const Arguments& arguments);

}  // namespace phalanx::cli

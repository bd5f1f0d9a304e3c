// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "core/result.hpp"

struct bpf_object;
struct bpf_program;

namespace phalanx::adapters {

// Loads an opened object with its one program. `what` names it in sentences: "the packet path". Fails with a
// sentence when a privilege is missing, memory does not suffice, or the verifier refuses; the last lines of
// its log then follow the sentence.
Result<void> load_object(bpf_object* object, bpf_program* program, std::string_view what);

}  // namespace phalanx::adapters

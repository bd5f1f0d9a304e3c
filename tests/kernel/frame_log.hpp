// SPDX-License-Identifier: Apache-2.0
// For a second opinion on whole runs: every frame that a program sent, and what it was made of, as pcap
// files.
#pragma once

#include "program_run.hpp"

namespace phalanx::test {

// Where $PHX_FRAME_LOG names a directory: appends `sent_in` to its in.pcap and what came out of it to its
// out.pcap, as frames of the same number, if the verdict sends it (XDP_TX, XDP_REDIRECT). Elsewhere does
// nothing.
void log_if_sent(const Bytes& sent_in, const RunResult& result);

}  // namespace phalanx::test

// SPDX-License-Identifier: Apache-2.0
// A second opinion on frames, by scapy (oracle.py): nothing in it was written with the packet path in mind.
#pragma once

#include <string>
#include <vector>

#include "address.hpp"

namespace phalanx::test {

// What oracle.py answers: the chain of headers of the frame, or "wrong: ..." where a length or a checksum is
// not what scapy computes. Several frames are the fragments of one datagram. Fails the test when python3 with
// scapy is missing.
std::string scapy_reads(const std::vector<Bytes>& frames);
std::string scapy_reads(const Bytes& frame);

}  // namespace phalanx::test

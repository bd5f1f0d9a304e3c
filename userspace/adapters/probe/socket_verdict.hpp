// SPDX-License-Identifier: Apache-2.0
// Whose fault an error of a socket is.
#pragma once

#include <string>

#include "core/health.hpp"

namespace phalanx::adapters {

struct SocketVerdict {
  core::Verdict verdict = core::Verdict::inconclusive;
  std::string reason;
  bool heard = true;  // from the peer itself: not silence, nor a router's word
};

// An errno of socket(), connect() or epoll_ctl() itself: nothing has left this host yet, so but for the few
// that name the peer (ECONNREFUSED, ...) it says something of this host only, and is inconclusive: no
// descriptor, port, memory or route, a local firewall. `what` is the call, for the reason.
SocketVerdict local_error(int error, const char* what);

// An errno that the socket reports later (SO_ERROR, send, recv): the packet has left, and this is what came
// back, from the backend or from the way to it. A reset, a refusal or an ICMP unreachable is what a client
// would meet; so is EHOSTUNREACH because nobody answers for the address on the link. All of these fail. Only
// the errors that can't but be this host's own are inconclusive.
SocketVerdict remote_error(int error);

}  // namespace phalanx::adapters

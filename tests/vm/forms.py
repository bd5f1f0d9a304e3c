# SPDX-License-Identifier: Apache-2.0
"""Every form of packet that the balancer sends to backends, each with a VIP of its own. No I/O here."""

import socket
from dataclasses import dataclass

from network import BACKEND_ADDRESS, NODE_INTERFACES, SECOND_ADDRESS

PORT = 80
_TRANSLATED_PORT = 8080
_SMALLEST_TABLE = 4096


@dataclass(frozen=True)
class Form:
    forward: str  # as in services[].forward
    inner: int  # family of the client's packets
    outer: int  # family of the backend's address
    device: str  # of the backend, that takes the outer header off; empty: there is none
    number: int

    @property
    def name(self):
        return f"{self.forward}-{self.inner}in{self.outer}"

    @property
    def vip(self):
        return f"198.51.100.{self.number}" if self.inner == 4 else f"2001:db8:e::{self.number}"

    @property
    def addresses(self):
        """Of its backends, all of them the same host's. With two, gue carries hops, which FOU skips."""
        if self.forward == "gue":
            return BACKEND_ADDRESS[self.outer], SECOND_ADDRESS[self.outer]
        return (BACKEND_ADDRESS[self.outer],)

    @property
    def outer_protocols(self):
        """What the IP headers that the backend gets carry, besides ICMPv6."""
        if self.forward == "gue":
            return {socket.IPPROTO_UDP}
        if self.forward == "ipip":
            return {socket.IPPROTO_IPIP if self.inner == 4 else socket.IPPROTO_IPV6}
        return {socket.IPPROTO_TCP, socket.IPPROTO_UDP}

    @property
    def server(self):
        """Where the backend's server listens: (address, port)."""
        return (self.vip, PORT) if self.device else (BACKEND_ADDRESS[self.outer], _TRANSLATED_PORT)


# What FOU leaves of a GUE packet goes to the same devices.
_TUNNELS = ((4, 4, "tunl0"), (6, 4, "sit0"), (4, 6, "ip6tnl0"), (6, 6, "ip6tnl0"))
_KINDS = (*(("ipip", *tunnel) for tunnel in _TUNNELS), *(("gue", *tunnel) for tunnel in _TUNNELS),
          ("nat", 4, 4, ""), ("nat", 6, 6, ""))
FORMS = tuple(Form(*kind, number) for number, kind in enumerate(_KINDS, start=10))


def config():
    return {
        "node": {"name": "node", "interfaces": list(NODE_INTERFACES)},
        "services": [{"name": form.name, "vips": [form.vip], "protocol": ["tcp", "udp"], "port": PORT,
                      "forward": form.forward, "slots": _SMALLEST_TABLE,
                      "backends": [{"name": f"b{number}", "address": address, "port": form.server[1]}
                                   for number, address in enumerate(form.addresses, start=1)]}
                     for form in FORMS],
    }

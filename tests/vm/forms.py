# SPDX-License-Identifier: Apache-2.0
"""Every form of packet that the balancer sends to backends, each with a VIP of its own. No I/O here."""

from dataclasses import dataclass

from network import BACKEND_ADDRESS, NODE_INTERFACES

PORT = 80
_SMALLEST_TABLE = 4096


@dataclass(frozen=True)
class Form:
    forward: str  # as in services[].forward
    inner: int  # family of the client's packets
    outer: int  # family of the backend's address
    device: str  # of the backend, that takes the outer header off
    number: int

    @property
    def name(self):
        return f"{self.forward}-{self.inner}in{self.outer}"

    @property
    def vip(self):
        return f"198.51.100.{self.number}" if self.inner == 4 else f"2001:db8:e::{self.number}"


# What `ip fou add ... gue` leaves of a packet goes to the same devices.
_TUNNELS = ((4, 4, "tunl0"), (6, 4, "sit0"), (4, 6, "ip6tnl0"), (6, 6, "ip6tnl0"))
_FORWARDS = ("ipip",)
FORMS = tuple(Form(forward, *tunnel, number) for number, (forward, tunnel) in enumerate(
    ((forward, tunnel) for forward in _FORWARDS for tunnel in _TUNNELS), start=10))


def config():
    return {
        "node": {"name": "node", "interfaces": list(NODE_INTERFACES)},
        "services": [{"name": form.name, "vips": [form.vip], "protocol": ["tcp", "udp"], "port": PORT,
                      "forward": form.forward, "slots": _SMALLEST_TABLE,
                      "backends": [{"name": "b1", "address": BACKEND_ADDRESS[form.outer]}]} for form in FORMS],
    }

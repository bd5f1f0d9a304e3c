# SPDX-License-Identifier: Apache-2.0
"""Who is in the lab, by name and address. No I/O here.

           client 192.0.2.2
             |
           router  -- rack1 10.0.1.0/24 -- b1 b2 (and eth1 of both nodes)
             |     \\- rack2 10.0.2.0/24 -- b3 b4
           front 10.0.0.0/24 -- lb1 lb2 (eth0)

The router spreads the VIP prefixes over both nodes by 5-tuple (ECMP). Every network has both families.
"""

from dataclasses import dataclass

VIPS4 = "203.0.113.0/24"
VIPS6 = "2001:db8::/64"
# Sources that no host has: tests send from them, and the client's end swallows what comes back.
STRANGERS4 = "198.18.0.0/15"
STRANGERS6 = "2001:db8:5::/48"

# Front and racks, by family: all but the client and the VIPs.
INSIDE = {4: "10.0.0.0/8", 6: "fd00::/62"}

CLIENT_MTU = 1500
# Room for the outer headers of a 1500-byte packet.
FABRIC_MTU = 1600


@dataclass(frozen=True)
class Network:
    """A bridge of the router, or its link to the client; the router is .1 and ::1."""

    name: str
    prefix4: str
    prefix6: str
    mtu: int

    def address4(self, host):
        return f"{self.prefix4}.{host}"

    def address6(self, host):
        return f"{self.prefix6}::{host}"

    def prefix(self, family):
        return f"{self.prefix4}.0/24" if family == 4 else f"{self.prefix6}::/64"


OUTSIDE = Network("outside", "192.0.2", "fd00:0:0:f", CLIENT_MTU)
FRONT = Network("front", "10.0.0", "fd00:0:0:0", FABRIC_MTU)
RACK1 = Network("rack1", "10.0.1", "fd00:0:0:1", FABRIC_MTU)
RACK2 = Network("rack2", "10.0.2", "fd00:0:0:2", FABRIC_MTU)
BRIDGES = (FRONT, RACK1, RACK2)


@dataclass(frozen=True)
class Interface:
    name: str  # inside the host's namespace
    network: Network
    host: int  # the last part of its addresses
    port: str  # its peer's name inside the router's namespace

    @property
    def address4(self):
        return self.network.address4(self.host)

    @property
    def address6(self):
        return self.network.address6(self.host)

    def address(self, family):
        return self.address4 if family == 4 else self.address6


@dataclass(frozen=True)
class Host:
    name: str
    kind: str  # "client", "node" or "backend"
    interfaces: tuple

    @property
    def main(self):
        """The interface with the default route."""
        return self.interfaces[0]

    @property
    def zone(self):
        return {"rack1": "rack-1", "rack2": "rack-2"}.get(self.main.network.name, "")


CLIENT = Host("client", "client", (Interface("eth0", OUTSIDE, 2, "client"),))


def _node(number):
    name = f"lb{number}"
    return Host(name, "node", (Interface("eth0", FRONT, 10 + number, name),
                               Interface("eth1", RACK1, 20 + number, f"{name}-rack1")))


def _backend(number, rack):
    return Host(f"b{number}", "backend", (Interface("eth0", rack, 10 + number, f"b{number}"),))


NODES = (_node(1), _node(2))
BACKENDS = (_backend(1, RACK1), _backend(2, RACK1), _backend(3, RACK2), _backend(4, RACK2))
HOSTS = (CLIENT, *NODES, *BACKENDS)
ROUTER = "router"
PARTS = (CLIENT.name, ROUTER, *(host.name for host in NODES + BACKENDS))

# The second interface of each node lies in rack 1 too, so its tunnel packets may come from there.
NODE_ADDRESSES = tuple(address for node in NODES for interface in node.interfaces
                       for address in (f"{interface.address4}/32", f"{interface.address6}/128"))

# Who may pass on a packet that it does not know.
BACKEND_ADDRESSES = tuple(address for backend in BACKENDS
                          for address in (f"{backend.main.address4}/32", f"{backend.main.address6}/128"))


def host(name):
    """The host called `name`; KeyError if there is none."""
    return {h.name: h for h in HOSTS}[name]

# SPDX-License-Identifier: Apache-2.0
"""The configurations of the lab's nodes and agents. No I/O here."""

from lab_network import topology

CHECK_TIMING = {"interval": "100ms", "timeout": "80ms", "fall": 3, "rise": 2}
CHECKS = {
    "web": {"type": "http", "path": "/healthz", "port": 80} | CHECK_TIMING,
    "ready": {"type": "http", "path": "/ready", "port": 80} | CHECK_TIMING,
}
# A backend that dies is found out after at most fall x interval + timeout.
DETECTION_S = 3 * 0.100 + 0.080

VIP4, VIP6 = "203.0.113.10", "2001:db8::10"


def _members(family=4, names=("b1", "b2", "b3", "b4")):
    hosts = [topology.host(name) for name in names]
    return [{"name": host.name, "address": host.main.address4 if family == 4 else host.main.address6,
             "zone": host.zone} for host in hosts]


def _service(name, last, protocol, port, check, **more):
    return {"name": name, "vips": [f"203.0.113.{last}", f"2001:db8::{last}"], "protocol": protocol, "port": port,
            "check": check, "backends": _members()} | more


WEB = _service("web", 10, "tcp", 80, "web")
# The same backends by the same addresses and port as WEB, with a check of its own.
READY = _service("ready", 11, "tcp", 80, "ready")
DATAGRAM = _service("datagram", 10, "udp", 53, "web")
# Backends known by IPv6 addresses: tunnels 4in6 and 6in6.
WEB6 = _service("web6", 12, "tcp", 80, "web", backends=_members(6))
# No tunnel: only backends on a wire of the nodes, each family by its own.
DIRECT = _service("direct", 13, "tcp", 80, "web", forward="l2", vips=["203.0.113.13"],
                  backends=_members(4, ("b1", "b2")))
DIRECT6 = _service("direct6", 13, "tcp", 80, "web", forward="l2", vips=["2001:db8::13"],
                   backends=_members(6, ("b1", "b2")))
# Generic UDP Encapsulation, over either family, to the port that agents listen on unless told.
GUE = _service("gue", 14, "tcp", 80, "web", forward="gue")
GUE6 = _service("gue6", 15, "tcp", 80, "web", forward="gue", backends=_members(6))
# The backends of WEB by the same address and port: they answer the node, which gives the answer the VIP.
NAT = _service("nat", 16, "tcp", 80, "web", forward="nat", vips=["203.0.113.16"])
NAT6 = _service("nat6", 16, "tcp", 80, "web", forward="nat", vips=["2001:db8::16"], backends=_members(6))
# Datagrams in those modes.
DATAGRAM_GUE = _service("datagram-gue", 14, "udp", 53, "web", forward="gue")
DATAGRAM_NAT = _service("datagram-nat", 16, "udp", 53, "web", forward="nat", vips=["203.0.113.16"])
DATAGRAM_NAT6 = _service("datagram-nat6", 16, "udp", 53, "web", forward="nat", vips=["2001:db8::16"],
                         backends=_members(6))
SERVICES = {service["name"]: service
            for service in (WEB, READY, DATAGRAM, WEB6, DIRECT, DIRECT6, GUE, GUE6, NAT, NAT6, DATAGRAM_GUE, DATAGRAM_NAT,
                            DATAGRAM_NAT6)}


def node_config(node, services, announce=None, limits=None):
    """What phalanxd on `node` (a topology.Host) reads. announce, limits: its keys of these names, if it has them."""
    used = {service["check"] for service in services}
    more = {key: value for key, value in (("announce", announce), ("limits", limits)) if value}
    return {"node": {"name": node.name, "interfaces": [node.main.name]} | more,
            "checks": {name: check for name, check in CHECKS.items() if name in used},
            "services": services}


def agent_config(backend, services):
    """What phalanx-agent on `backend` (a topology.Host) reads."""
    return {"agent": {"interface": backend.main.name, "vips": backend_vips(backend, services),
                      "nodes": list(topology.NODE_ADDRESSES), "peers": list(topology.BACKEND_ADDRESSES + topology.NODE_ADDRESSES)}}


def backend_vips(backend, services):
    """The VIPs that `backend` serves under their own address, each once: in nat it never sees them."""
    addresses = {backend.main.address4, backend.main.address6}
    vips = [vip for service in services for vip in service["vips"] if service.get("forward") != "nat"
            and any(member["address"] in addresses for member in service["backends"])]
    return list(dict.fromkeys(vips))

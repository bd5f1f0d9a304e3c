# SPDX-License-Identifier: Apache-2.0
"""A client, a node and a backend in a row, each a network namespace; the backend takes tunnels apart by the kernel's
own devices."""

import contextlib
import socket
import threading
from pathlib import Path

from lab_network.binaries import PASS_OBJECT
from lab_network.command_run import run
from lab_network.namespace import Namespace

CLIENT, NODE, BACKEND = "client", "node", "backend"
NODE_INTERFACES = ("front", "back")
BACKEND_ADDRESS = {4: "10.0.0.2", 6: "fd00::2"}
# Another one of the same host: packets to either name the other as a hop.
SECOND_ADDRESS = {4: "10.0.0.3", 6: "fd00::3"}
GUE_PORT = 6080
# The devices that the modules make in every namespace: they take tunnels of their form from any source.
DEVICES = ("tunl0", "sit0", "ip6tnl0")
_MTU_BEHIND = 1600  # room for the outer headers

_ADDRESSES = {
    (CLIENT, "eth0"): ("203.0.113.2/24", "2001:db8:c::2/64"),
    (NODE, "front"): ("203.0.113.1/24", "2001:db8:c::1/64"),
    (NODE, "back"): ("10.0.0.1/24", "fd00::1/64"),
    (BACKEND, "eth0"): (f"{BACKEND_ADDRESS[4]}/24", f"{BACKEND_ADDRESS[6]}/64", f"{SECOND_ADDRESS[4]}/24",
                        f"{SECOND_ADDRESS[6]}/64"),
}
_ROUTES = {CLIENT: ("203.0.113.1", "2001:db8:c::1"), BACKEND: ("10.0.0.1", "fd00::1")}
_SYSCTL = {"net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.default.rp_filter": 0,
           "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1,
           "net.ipv6.conf.default.accept_dad": 0, "net.ipv6.conf.default.dad_transmits": 0}
# Of /proc/net/snmp and snmp6: what the stack counts when it throws away packets with a wrong header or checksum.
_ERRORS = {"IpInHdrErrors", "IpInDiscards", "TcpInErrs", "TcpInCsumErrors", "UdpInErrors", "UdpInCsumErrors",
           "Ip6InHdrErrors", "Ip6InDiscards", "Ip6InTruncatedPkts", "Udp6InErrors", "Udp6InCsumErrors"}

_ALL_PROTOCOLS = 3  # ETH_P_ALL
_SO_RCVBUFFORCE = 33  # which Python's socket does not name
_SNIFFED_BYTES = 16 << 20
_PROTOCOL_AT = {0x0800: 9, 0x86dd: 6}  # EtherType: where an IP header names what it carries


class Network:
    def __init__(self, prefix):
        self.namespaces = {part: Namespace(prefix + part) for part in (CLIENT, NODE, BACKEND)}

    def build(self, vips):
        """vips: addresses that the backend serves."""
        for module in ("veth", "ipip", "sit", "ip6_tunnel", "fou", "fou6"):
            run(["modprobe", module])
        for namespace in self.namespaces.values():
            run(["ip", "netns", "add", namespace.name])
            namespace.sysctl(_SYSCTL)
        self._link(CLIENT, "eth0", NODE, "front", 1500)
        self._link(NODE, "back", BACKEND, "eth0", _MTU_BEHIND)
        for (part, interface), addresses in _ADDRESSES.items():
            self.namespaces[part].ip([f"address add {address} dev {interface}" for address in addresses])
        for part, gateways in _ROUTES.items():
            self.namespaces[part].ip([f"route add default via {gateway}" for gateway in gateways])
        backend = self.namespaces[BACKEND]
        backend.ip(["link set lo up", *(f"address add {vip} dev lo" for vip in vips),
                    *(f"link set {device} up" for device in DEVICES)])
        backend.run("ip", "-6", "tunnel", "change", "ip6tnl0", "mode", "any")  # by itself it takes IPv6 only
        for family in ("-4", "-6"):
            backend.run("ip", family, "fou", "add", "port", GUE_PORT, "gue")
        # What the node sends by XDP reaches an interface only if that has a program itself.
        for part in (CLIENT, BACKEND):
            self.namespaces[part].ip([f"link set eth0 xdpdrv object {PASS_OBJECT} section xdp"])

    def remove(self):
        for namespace in self.namespaces.values():
            if namespace.exists():
                run(["ip", "netns", "delete", namespace.name], check=False)

    def decapsulated(self):
        """What the backend's tunnel devices have taken in: {device: packets}, without those that took none."""
        lines = (line.split() for line in self._in_backend("/proc/net/dev").splitlines())
        return {fields[0].rstrip(":"): int(fields[2]) for fields in lines
                if fields[0].rstrip(":") in DEVICES and int(fields[2])}

    @contextlib.contextmanager
    def outer_protocols(self):
        """Yields a set that is filled at the end: the protocols of the IP packets that the backend got."""
        seen = set()
        with self.namespaces[BACKEND].entered():
            sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PROTOCOLS))
        with sniffer:
            sniffer.bind(("eth0", _ALL_PROTOCOLS))
            sniffer.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _SNIFFED_BYTES)
            yield seen
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet, (_interface, kind, direction, *_rest) = sniffer.recvfrom(64, socket.MSG_DONTWAIT)
                    if direction != socket.PACKET_OUTGOING and kind in _PROTOCOL_AT:
                        seen.add(packet[_PROTOCOL_AT[kind]])

    def errors(self):
        """What the backend's stack has refused: {counter: how often}, without those that are 0."""
        lines = self._in_backend("/proc/net/snmp").splitlines()
        counts = [(f"{names.split(':')[0]}{name}", value) for names, values in zip(lines[::2], lines[1::2])
                  for name, value in zip(names.split()[1:], values.split()[1:])]
        counts += [line.split() for line in self._in_backend("/proc/net/snmp6").splitlines()]
        found = {name: int(value) for name, value in counts if name in _ERRORS}
        assert found.keys() == _ERRORS, "this kernel counts errors by other names"
        return {name: value for name, value in found.items() if value}

    def _in_backend(self, path):
        with self.namespaces[BACKEND].entered():
            return Path(path.replace("/proc/", f"/proc/self/task/{threading.get_native_id()}/", 1)).read_text()

    def _link(self, part, interface, other, other_interface, mtu):
        one, two = self.namespaces[part], self.namespaces[other]
        run(["ip", "link", "add", interface, "mtu", mtu, "netns", one.name, "type", "veth", "peer", "name",
             other_interface, "mtu", mtu, "netns", two.name])
        for namespace, name in ((one, interface), (two, other_interface)):
            namespace.ip([f"link set {name} up"])
            # XDP sees packets as they are, and an unfinished checksum is a wrong one.
            namespace.run("ethtool", "-K", name, "tx", "off")

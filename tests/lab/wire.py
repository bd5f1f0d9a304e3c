# SPDX-License-Identifier: Apache-2.0
"""Frames as they are on the lab's wires: captured by packet sockets, made and read by scapy, which shares no code
with what it judges."""

import socket
import time

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from lab_network import LabError

ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 64 << 20


class Capture:
    """What passes the interfaces of one namespace from now on."""

    def __init__(self, namespace):
        with namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self._socket.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def frames(self):
        """[(interface, whether it left by it, bytes)] since the last call."""
        seen = []
        while True:
            try:
                data, address = self._socket.recvfrom(65535)
            except BlockingIOError:
                return seen
            seen.append((address[0], address[2] == PACKET_OUTGOING, data))

    def wait_for(self, accept, wanted, within=5):
        """The first frame that accept(interface, leaving, Ether) takes, as scapy reads it."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            for interface, leaving, data in self.frames():
                if accept(interface, leaving, frame := Ether(data)):
                    return frame
            time.sleep(0.005)
        raise LabError(f"wait for a frame ({wanted}): none within {within} s")


def mac_of(namespace, interface):
    with namespace.entered():
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as probe:
            probe.bind((interface, 0))
            return ":".join(f"{byte:02x}" for byte in probe.getsockname()[4])


def network_layers(frame):
    """The IP headers of a frame, outermost first."""
    layers = []
    layer = frame.payload
    while isinstance(layer, (IP, IPv6)):
        layers.append(layer)
        layer = layer.payload
    return layers


def five_tuple(header):
    """(protocol, source, source port, destination, destination port) of the packet that an IP header begins."""
    transport = header.payload
    if not isinstance(transport, (TCP, UDP)):
        return None
    protocol = "tcp" if isinstance(transport, TCP) else "udp"
    return protocol, header.src, transport.sport, header.dst, transport.dport


def packet(protocol, source, source_port, destination, destination_port):
    """An IP packet that begins a flow: a SYN, or a short datagram."""
    network = (IPv6 if ":" in destination else IP)(src=source, dst=destination)
    transport = TCP(flags="S", seq=1) if protocol == "tcp" else UDP() / b"?"
    transport.sport, transport.dport = source_port, destination_port
    return network / transport

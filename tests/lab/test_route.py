# SPDX-License-Identifier: Apache-2.0
"""What `phalanx route --batch` says and what the wire shows, for 2,000 random 5-tuples of both families."""

import ipaddress
import json
import random
import socket
import time

import pytest
from lab_network import topology
from lab_network.services import DATAGRAM, DETECTION_S, READY, WEB, WEB6
from scapy.layers.l2 import Ether
from wire import Capture, five_tuple, mac_of, network_layers, packet

FLOWS = 2000
BURST = 50


def random_flows(seed):
    """Distinct 5-tuples, half of each family, to services of both protocols and both tunnel families."""
    chance = random.Random(seed)
    networks = [ipaddress.ip_network(topology.STRANGERS4), ipaddress.ip_network(topology.STRANGERS6)]
    flows = set()
    while len(flows) < FLOWS:
        family = len(flows) % 2
        service = chance.choice((WEB, READY, DATAGRAM, WEB6))
        source = networks[family][chance.randrange(1, networks[family].num_addresses)]
        flows.add((service["protocol"], str(source), chance.randrange(1024, 65536), service["vips"][family],
                   service["port"]))
    return sorted(flows)


def endpoint(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def predicted(node, flows):
    """{flow: address of the backend} as the node's `phalanx route --batch` says."""
    lines = "".join(f"{protocol} {endpoint(source, sport)} {endpoint(vip, port)}\n"
                    for protocol, source, sport, vip, port in flows)
    answers = node.cli("route", "--batch", "-", stdin=lines).stdout.splitlines()
    assert len(answers) == len(flows)
    return {flow: json.loads(answer)["backend"]["address"] for flow, answer in zip(flows, answers)}


def may_be_tunnel(data):
    """Of a frame's bytes, by its IP header: most frames are probes, and scapy can't keep up with them."""
    protocol = {b"\x08\x00": data[23], b"\x86\xdd": data[20]}.get(data[12:14]) if len(data) > 23 else None
    return protocol in (socket.IPPROTO_IPIP, socket.IPPROTO_IPV6, socket.IPPROTO_UDP)


class Wire:
    """Sends flows from the client, and sees at the router's ports to which backend each goes."""

    def __init__(self, lab):
        self._client = lab.namespaces[topology.CLIENT.name]
        self._router = lab.namespaces[topology.ROUTER]
        self._router_mac = mac_of(self._router, topology.CLIENT.main.port)
        self._port_macs = {h.main.port: mac_of(lab.namespaces[h.name], "eth0") for h in topology.BACKENDS}

    def destinations(self, flows):
        """{flow: outer destination address} of the tunnel packets that left towards backends."""
        seen = {}
        with Capture(self._router) as capture, self._client.entered():
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
                sender.bind((topology.CLIENT.main.name, 0))
                for begin in range(0, len(flows), BURST):
                    burst = flows[begin:begin + BURST]
                    for flow in burst:
                        sender.send(bytes(Ether(dst=self._router_mac) / packet(*flow)))
                    self._collect(capture, seen, burst)
        return seen

    def _collect(self, capture, seen, burst):
        deadline = time.monotonic() + 2
        while not all(flow in seen for flow in burst) and time.monotonic() < deadline:
            for interface, leaving, data in capture.frames():
                if leaving and interface in self._port_macs and may_be_tunnel(data):
                    self._note(Ether(data), interface, seen)

    def _note(self, frame, interface, seen):
        headers = network_layers(frame)
        # A bridge floods what it has not learned yet: only the addressed host counts.
        if len(headers) == 2 and frame.dst == self._port_macs[interface]:
            flow = five_tuple(headers[1])
            assert seen.setdefault(flow, headers[0].dst) == headers[0].dst, f"{flow} went to two backends"


def assert_route_agrees_with_wire(lab, absent=()):
    seed = random.randrange(1 << 32)
    flows = random_flows(seed)
    expected = predicted(lab.nodes["lb1"], flows)
    assert predicted(lab.nodes["lb2"], flows) == expected, f"the nodes disagree (seed {seed})"
    seen = Wire(lab).destinations(flows)
    wrong = [(flow, expected[flow], seen.get(flow)) for flow in flows if seen.get(flow) != expected[flow]]
    assert wrong == [], f"{len(wrong)} of {FLOWS} flows (flow, route says, wire shows), seed {seed}: {wrong[:5]}"
    addresses = {a for h in topology.BACKENDS if h.name not in absent for a in (h.main.address4, h.main.address6)}
    assert set(seen.values()) == addresses, f"not every backend was chosen, or a dead one was (seed {seed})"


@pytest.fixture
def b2_down(lab):
    lab.kill("b2")
    lab.wait_states(lambda states: all(state == "down" for (service, name), state in states.items() if name == "b2"),
                    "b2 down", within=DETECTION_S + 2)


def test_route_agrees_with_the_wire(lab):
    assert_route_agrees_with_wire(lab)


def test_route_agrees_with_the_wire_while_a_backend_is_down(lab, b2_down):
    assert_route_agrees_with_wire(lab, absent=("b2",))


def test_route_agrees_with_the_wire_without_a_daemon(lab):
    for name in lab.nodes:
        lab.kill(name)
    assert_route_agrees_with_wire(lab)


def test_route_agrees_with_the_wire_without_a_daemon_while_a_backend_is_down(lab, b2_down):
    for name in lab.nodes:
        lab.kill(name)
    assert_route_agrees_with_wire(lab, absent=("b2",))

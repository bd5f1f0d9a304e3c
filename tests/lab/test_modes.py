# SPDX-License-Identifier: Apache-2.0
"""Every mode of forwarding beside the others, with the same backends, as clients feel it and as the wire shows it."""

import contextlib
import socket
import threading

import pytest
from lab_network import topology
from lab_network.clients import answers
from lab_network.services import GUE, GUE6, NAT, NAT6, WEB
from scapy.layers.inet import TCP, UDP
from scapy.layers.l2 import Ether
from wire import Capture, network_layers

EVERYBODY = {"b1", "b2", "b3", "b4"}
GUE_PORT = 6080


@pytest.mark.parametrize("service", [GUE, GUE6], ids=["over_ipv4", "over_ipv6"])
@pytest.mark.parametrize("family", [0, 1], ids=["ipv4_clients", "ipv6_clients"])
def test_every_backend_answers_through_gue(lab, service, family):
    vip = service["vips"][family]
    with Capture(lab.namespaces[topology.ROUTER]) as capture:  # on backends the agent takes them off unseen
        lab.expect_only(EVERYBODY, within=3, vip=vip)
        outer = [frame for frame in _arriving(capture) if UDP in frame and frame[UDP].dport == GUE_PORT]
    assert outer, f"GUE packets for {vip} behind the node"
    assert len({frame[UDP].sport for frame in outer}) > 1, "the source port spreads flows"


@pytest.mark.parametrize("service", [NAT, NAT6], ids=["ipv4", "ipv6"])
def test_every_backend_answers_through_nat_in_the_vips_name(lab, service):
    vip, = service["vips"]
    with Capture(lab.namespaces[topology.CLIENT.name]) as capture:
        lab.expect_only(EVERYBODY, within=3, vip=vip)
        sources = {network_layers(frame)[0].src for frame in _arriving(capture) if TCP in frame}
    assert sources == {vip}


@pytest.mark.parametrize("service", [NAT, NAT6], ids=["ipv4", "ipv6"])
def test_a_backend_sees_clients_of_nat_at_its_own_address(lab, service):
    vip, = service["vips"]
    client = topology.CLIENT.main.address(6 if ":" in vip else 4)
    own = topology.host("b1").main.address(6 if ":" in vip else 4)
    with Capture(lab.namespaces["b1"]) as capture:
        lab.expect_only(EVERYBODY, within=3, vip=vip)
        capture.wait_for(lambda _i, leaving, frame: not leaving and [(h.src, h.dst) for h in network_layers(frame)]
                         == [(client, own)], "a packet from the client to the backend's own address on b1")


def test_modes_serve_beside_each_other_with_the_same_backends(lab):
    for service in (WEB, GUE, NAT):
        lab.expect_only(EVERYBODY, within=3, vip=service["vips"][0])


@pytest.mark.parametrize("family", [4, 6])
def test_a_nat_backends_own_address_answers_through_the_node(lab, family):
    """A port that no service has, such as a monitoring agent's: the node forwards the answer as it is."""
    address = topology.host("b1").main.address(family)
    router = lab.namespaces[topology.ROUTER]
    with _listening(lab.namespaces["b1"], address, 9100, "figures"), Capture(router) as capture:
        assert answers(lab.namespaces[topology.CLIENT.name], address, 3, port=9100) == ["figures"] * 3
        node_ports = {node.main.port for node in topology.NODES}
        through = [data for interface, leaving, data in capture.frames()
                   if interface in node_ports and not leaving and network_layers(Ether(data))[0:1]
                   and network_layers(Ether(data))[0].src == address]
    assert through, "the answers came through a node"


@pytest.mark.parametrize("name", ["lb1", "lb2"])
def test_probes_of_nat_backends_are_not_translated(lab, name):
    states = lab.nodes[name].backend_states()
    assert {state for (service, _), state in states.items() if service in ("nat", "nat6")} == {"up"}


def test_route_says_how_packets_leave_in_each_mode(lab):
    def ask(service):
        vip = service["vips"][0]
        source = "[2001:db8:5::7]:99" if ":" in vip else "198.18.0.7:99"
        target = f"[{vip}]:80" if ":" in vip else f"{vip}:80"
        return lab.nodes["lb1"].query("route", "tcp", source, target)

    addresses = {h.main.address(family) for h in topology.BACKENDS for family in (4, 6)}
    for service in (GUE, GUE6):
        answer = ask(service)
        assert answer["forward"] == "gue" and answer["outer"]["port"] == GUE_PORT
        assert answer["outer"]["address"] in addresses
    for service in (NAT, NAT6):
        answer = ask(service)
        assert answer["forward"] == "nat" and answer["rewritten"]["port"] == 80
        assert answer["rewritten"]["address"] in addresses


def _arriving(capture):
    return [Ether(data) for _interface, leaving, data in capture.frames() if not leaving]


@contextlib.contextmanager
def _listening(namespace, address, port, body):
    """Answers each connection to address:port inside `namespace` by one HTTP answer."""
    with namespace.entered():
        server = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return  # shut down
            with connection:
                connection.recv(4096)
                connection.sendall(f"HTTP/1.0 200 OK\r\n\r\n{body}\n".encode())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()

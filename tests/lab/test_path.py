# SPDX-License-Identifier: Apache-2.0
"""How packets travel: native XDP, every tunnel form, answers straight from the backend to the client."""

import json

import pytest
from lab_network import topology
from lab_network.services import DIRECT, DIRECT6, VIP4, VIP6, WEB, WEB6
from scapy.layers.inet import TCP
from scapy.layers.l2 import Ether
from wire import Capture, mac_of, network_layers

NATIVE = 1  # XDP_ATTACHED_DRV of <linux/if_link.h>


@pytest.mark.parametrize("name", ["lb1", "lb2"])
def test_program_runs_in_native_mode(lab, name):
    link = json.loads(lab.namespaces[name].run("ip", "-j", "-d", "link", "show", "dev", "eth0").stdout)[0]
    assert link["xdp"]["mode"] == NATIVE
    interfaces = {i["name"]: i["mode"] for i in lab.nodes[name].query("status")["interfaces"]}
    assert interfaces == {"eth0": "native"}


@pytest.mark.parametrize("service", [WEB, WEB6], ids=["tunnels_over_ipv4", "tunnels_over_ipv6"])
@pytest.mark.parametrize("family", [0, 1], ids=["ipv4_clients", "ipv6_clients"])
def test_every_backend_answers_through(lab, service, family):
    lab.expect_only({"b1", "b2", "b3", "b4"}, within=3, vip=service["vips"][family])


@pytest.mark.parametrize("service", [DIRECT, DIRECT6], ids=["ipv4", "ipv6"])
def test_backends_on_the_nodes_wire_answer_without_a_tunnel(lab, service):
    vip, = service["vips"]
    with Capture(lab.namespaces["b1"]) as capture:
        lab.expect_only({"b1", "b2"}, within=3, vip=vip)
        capture.wait_for(lambda _i, leaving, frame: not leaving and [h.dst for h in network_layers(frame)]
                         == [vip], "a packet to the VIP, without outer header, on b1")


@pytest.mark.parametrize("vip", [VIP4, VIP6])
def test_answers_go_straight_from_the_backend_to_the_client(lab, vip):
    """Seen on the backend, and not seen on any wire of a node."""
    router = lab.namespaces[topology.ROUTER]

    def is_answer(frame):
        headers = network_layers(frame)
        return bool(headers) and headers[-1].src == vip and TCP in frame

    with Capture(lab.namespaces["b3"]) as at_backend, Capture(router) as at_router:
        lab.expect_only({"b1", "b2", "b3", "b4"}, within=3, vip=vip)
        answer = at_backend.wait_for(lambda _i, leaving, frame: leaving and is_answer(frame), f"an answer from {vip}")
        assert network_layers(answer)[0].dst in (topology.CLIENT.main.address4, topology.CLIENT.main.address6)
        assert answer.dst == mac_of(router, topology.RACK2.name)
        node_ports = {interface.port for node in topology.NODES for interface in node.interfaces}
        through_nodes = [interface for interface, _leaving, data in at_router.frames()
                         if interface in node_ports and is_answer(Ether(data))]
        assert through_nodes == []


@pytest.mark.parametrize("vip", [VIP4, VIP6])
def test_vip_answers_echo_whatever_happens_to_backends(lab, vip):
    for backend in lab.web_servers:
        lab.kill(backend)
    lab.namespaces[topology.CLIENT.name].run("ping", "-c", "1", "-W", "2", vip)


def test_nodes_own_traffic_passes_untouched(lab):
    client = lab.namespaces[topology.CLIENT.name]
    for interface in topology.host("lb1").interfaces[:1]:
        for address in (interface.address4, interface.address6):
            client.run("ping", "-c", "1", "-W", "2", "-s", "1400", address)


def test_down_takes_everything_off_the_node(lab):
    node = lab.nodes["lb1"]
    node.forget()
    link = json.loads(lab.namespaces["lb1"].run("ip", "-j", "-d", "link", "show", "dev", "eth0").stdout)[0]
    assert "xdp" not in link
    assert not node.pin_dir.exists() or not list(node.pin_dir.iterdir())
    node.cli("down")  # nothing there: done

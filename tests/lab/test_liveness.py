# SPDX-License-Identifier: Apache-2.0
"""A daemon is dead and the world goes on changing: next hops are asked of the kernel."""

import json
import time

import pytest
from lab_network import topology
from lab_network.clients import answers
from lab_network.services import GUE, GUE6, NAT, NAT6, WEB

# The router's leg on the nodes' network: their gateway to rack 2.
GATEWAY = topology.FRONT.name
OBSERVED_S = 2


@pytest.fixture
def gateway(lab):
    """Moves the gateway to another MAC address, and says so as hosts do (gratuitous ARP, unsolicited advertisement)."""
    router = lab.namespaces[topology.ROUTER]
    former = json.loads(router.run("ip", "-j", "link", "show", "dev", GATEWAY).stdout)[0]["address"]
    router.sysctl({f"net.ipv4.conf.{GATEWAY}.arp_notify": 1, f"net.ipv6.conf.{GATEWAY}.ndisc_notify": 1})

    def move(mac):
        router.run("ip", "link", "set", "dev", GATEWAY, "address", mac)
        deadline = time.monotonic() + 5
        while not all(knows(lab, node, mac) for node in lab.nodes):
            assert time.monotonic() < deadline, f"the nodes' kernels never learned that the gateway is at {mac}"
            time.sleep(0.01)

    yield move
    move(former)
    router.sysctl({f"net.ipv4.conf.{GATEWAY}.arp_notify": 0, f"net.ipv6.conf.{GATEWAY}.ndisc_notify": 0})


def knows(lab, node, mac):
    for address in (topology.FRONT.address4(1), topology.FRONT.address6(1)):
        rows = json.loads(lab.namespaces[node].run("ip", "-j", "neigh", "show", address).stdout or "[]")
        if not any(row.get("lladdr") == mac for row in rows):
            return False
    return True


def wait_liveness(lab, wanted, within=5):
    deadline = time.monotonic() + within
    for node in lab.nodes.values():
        while (seen := node.query("status")["daemon"]["liveness"]) != wanted:
            assert time.monotonic() < deadline, f"the daemon's liveness on {node.host.name} is {seen}, not {wanted}"
            time.sleep(0.02)


def by_fib(lab):
    return {name: node.query("status")["counters"]["by_fib"] for name, node in lab.nodes.items()}


def observe(load):
    seen = len(load.seconds())
    while len(load.seconds()) < seen + OBSERVED_S:
        time.sleep(0.02)


def test_gateway_moves_while_the_daemons_are_dead_and_again_when_they_are_back(lab, load, gateway):
    owners, before = load.backends(), by_fib(lab)
    for name in lab.nodes:
        lab.kill(name)
    wait_liveness(lab, "stale")
    said = lab.nodes["lb1"].cli("status").stdout
    assert "the daemon's liveness is stale" in said, said
    gateway("02:00:00:00:fe:01")
    observe(load)
    stale = by_fib(lab)
    assert all(stale[name] > before[name] for name in lab.nodes), "nobody asked the kernel"

    for name in lab.nodes:
        lab.revive(name)
    wait_liveness(lab, "fresh")
    fresh = by_fib(lab)
    gateway("02:00:00:00:fe:02")
    observe(load)
    assert by_fib(lab) == fresh, "the path went on asking the kernel"
    assert load.backends() == owners, "flows moved to other backends"
    summary = load.stop()
    assert (summary["failed"], summary["breaks"]) == (0, 0), load.failures[:5] + load.breaks[:5]


@pytest.mark.parametrize("service", [WEB, GUE, GUE6, NAT, NAT6], ids=lambda service: service["name"])
def test_every_mode_finds_a_gateway_that_moved_while_the_daemons_were_dead(lab, gateway, service):
    for name in lab.nodes:
        lab.kill(name)
    wait_liveness(lab, "stale")
    gateway("02:00:00:00:fe:03")
    for vip in service["vips"]:
        seen = set(answers(lab.namespaces[topology.CLIENT.name], vip, 40))
        assert seen == {"b1", "b2", "b3", "b4"}, vip

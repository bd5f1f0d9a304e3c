# SPDX-License-Identifier: Apache-2.0
"""Packets that are not small and whole: uploads through a narrow path, datagrams in fragments, traceroute."""

import contextlib
import http.client
import selectors
import socket
import threading
import time

import pytest
from lab_network import topology
from lab_network.services import (DATAGRAM, DATAGRAM_GUE, DATAGRAM_NAT, DATAGRAM_NAT6, DIRECT, DIRECT6, GUE, GUE6, NAT,
                                  NAT6, WEB, WEB6)

# Of the paths to backends. No IPv6 packet may be told to be smaller than 1280 bytes, so that a tunnel needs its outer
# headers (at most IPv6, UDP, GUE and two hops) above that.
NARROW_MTU = {4: 1280, 6: 1280 + 40 + 8 + 4 + 36}
UPLOAD = 1 << 20  # bytes
LARGE_REQUEST = 3000  # does not fit a packet of the client
LARGE_ANSWER = 4096
ROUNDS = 20
ATTEMPTS = 3


def _vips(*services):
    return [pytest.param(vip, id=f"{service['name']}-ipv{6 if ':' in vip else 4}")
            for service in services for vip in service["vips"]]


@pytest.mark.parametrize("vip", _vips(WEB, WEB6, GUE, GUE6, NAT, NAT6, DIRECT, DIRECT6))
def test_uploads_find_their_way_through_a_narrow_path(lab, vip):
    """The node tells the client, in the VIP's name, how much fits; the second answer proves that all has arrived."""
    with _narrow_paths(lab, 6 if ":" in vip else 4), lab.namespaces[topology.CLIENT.name].entered():
        for _ in range(4):
            connection = http.client.HTTPConnection(vip, 80, timeout=10)
            connection.request("POST", "/", body=bytes(UPLOAD))
            assert connection.getresponse().read()
            connection.request("GET", "/")
            assert connection.getresponse().read()
            connection.close()


@pytest.mark.parametrize("vip", _vips(DATAGRAM, DATAGRAM_GUE, DATAGRAM_NAT, DATAGRAM_NAT6))
def test_datagrams_in_fragments_are_answered_at_length(lab, vip):
    """Both ways in fragments. Like any that tells flows apart by ports, the router must be told to keep pieces together."""
    with _spread_by_addresses(lab), _datagram_servers(lab), lab.namespaces[topology.CLIENT.name].entered():
        for number in range(ROUNDS):
            assert _ask(vip, bytes([number]) * LARGE_REQUEST) == bytes([number]) * LARGE_ANSWER


@pytest.mark.parametrize("vip", WEB["vips"])
def test_traceroute_sees_the_router_and_the_vip(lab, vip):
    argv = ["traceroute", "-6" if ":" in vip else "-4", "-n", "-T", "-p", "80", "-q", "1", "-m", "5", vip]
    lines = lab.namespaces[topology.CLIENT.name].run(*argv).stdout.strip().splitlines()[1:]
    hops = [line.split()[1] for line in lines]
    router = topology.OUTSIDE.address6(1) if ":" in vip else topology.OUTSIDE.address4(1)
    assert hops[0] == router
    assert set(hops[1:]) == {vip}


def _ask(vip, request):
    """As resolvers do: an IPv6 answer is lost when its backend learns from the router how much fits (RFC 8201)."""
    with socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        client.connect((vip, 53))
        for _attempt in range(ATTEMPTS):
            client.send(request)
            with contextlib.suppress(TimeoutError):
                return client.recv(65535)
    raise AssertionError(f"no answer from {vip} to {ATTEMPTS} requests of {len(request)} bytes")


@contextlib.contextmanager
def _narrow_paths(lab, family_of_clients):
    """The nodes' routes to all backends take packets of up to NARROW_MTU bytes."""
    mtu = str(NARROW_MTU[family_of_clients])
    changed = [(lab.namespaces[node.name], family, route) for node in topology.NODES for family in (4, 6)
               for route in _routes_to_racks(lab.namespaces[node.name], family)]
    try:
        for namespace, family, route in changed:
            namespace.run("ip", f"-{family}", "route", "replace", *route, "mtu", mtu)
        _wait_until_known(lab)
        yield
    finally:
        for namespace, family, route in changed:
            namespace.run("ip", f"-{family}", "route", "replace", *route)
        lab.namespaces[topology.CLIENT.name].run("ip", "route", "flush", "cache")
        lab.namespaces[topology.CLIENT.name].run("ip", "-6", "route", "flush", "cache")


def _routes_to_racks(namespace, family):
    prefixes = [rack.prefix(family) for rack in (topology.RACK1, topology.RACK2)]
    lines = namespace.run("ip", f"-{family}", "route", "show").stdout.splitlines()
    return [line.split() for line in lines if line.split()[0] in prefixes]


def _wait_until_known(lab, within=5):
    """Until a large packet is answered by "too big": the daemons have heard of the routes."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        too_big = [node.query("status")["counters"]["too_big_answered"] for node in lab.nodes.values()]
        with lab.namespaces[topology.CLIENT.name].entered(), contextlib.suppress(OSError):
            connection = http.client.HTTPConnection(WEB["vips"][0], 80, timeout=2)
            connection.request("POST", "/", body=bytes(16384))
            connection.getresponse().read()
            connection.close()
        now = [node.query("status")["counters"]["too_big_answered"] for node in lab.nodes.values()]
        if now != too_big:
            return
        time.sleep(0.05)
    raise AssertionError(f"no packet was too big for {within} s after the routes were narrowed")


@contextlib.contextmanager
def _spread_by_addresses(lab):
    router = lab.namespaces[topology.ROUTER]
    keys = ["net.ipv4.fib_multipath_hash_policy", "net.ipv6.fib_multipath_hash_policy"]
    try:
        router.sysctl({key: 0 for key in keys})
        yield
    finally:
        router.sysctl({key: 1 for key in keys})


@contextlib.contextmanager
def _datagram_servers(lab):
    """On every backend: answers each datagram by LARGE_ANSWER bytes like its first, from the address it was sent to."""
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as waiting:
        for backend in topology.BACKENDS:
            with lab.namespaces[backend.name].entered():
                for address in _own_addresses(backend):
                    family = socket.AF_INET6 if ":" in address else socket.AF_INET
                    server = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
                    server.bind((address, 53))
                    waiting.register(server, selectors.EVENT_READ)
        ended = threading.Event()
        thread = threading.Thread(target=_answer_datagrams, args=(waiting, ended))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _own_addresses(backend):
    vips = [vip for service in (DATAGRAM, DATAGRAM_GUE) for vip in service["vips"]]
    return [backend.main.address4, backend.main.address6, *vips]


def _answer_datagrams(waiting, ended):
    while not ended.is_set():
        for key, _events in waiting.select(timeout=0.1):
            request, client = key.fileobj.recvfrom(65535)
            if len(request) == LARGE_REQUEST:
                key.fileobj.sendto(request[:1] * LARGE_ANSWER, client)

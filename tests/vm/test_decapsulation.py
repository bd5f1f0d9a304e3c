# SPDX-License-Identifier: Apache-2.0
"""What the balancer sends, the kernel's own tunnel devices take apart (what it translates needs none), and sockets get
it whole."""

import random
import socket
from collections import Counter

import pytest
from echo import datagram_echo, served, stream_echo
from forms import FORMS, PORT
from network import BACKEND, CLIENT

_SEED = 20240117
_STREAM_BYTES = 200_000
_LARGEST_SEGMENT = 1460
_DATAGRAM_BYTES = (0, 1, 2, 17, 512, 1399, 1452)  # 1452 and IPv6's headers fill 1500 bytes

each_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)


def _random_bytes(length):
    return random.Random(_SEED + length).randbytes(length)


def _since(network, before):
    """{device: packets that it has decapsulated since then}"""
    return dict(Counter(network.decapsulated()) - Counter(before))


@each_form
def test_a_connection_reaches_its_socket_through_the_kernels_device(network, form):
    data, before = _random_bytes(_STREAM_BYTES), network.decapsulated()
    with served(network.namespaces[BACKEND], socket.SOCK_STREAM, *form.server), network.outer_protocols() as outer:
        assert stream_echo(network.namespaces[CLIENT], form.vip, PORT, data) == data
    assert outer and outer <= form.outer_protocols | {socket.IPPROTO_ICMPV6}
    decapsulated = _since(network, before)
    assert list(decapsulated) == ([form.device] if form.device else [])
    assert all(packets >= _STREAM_BYTES // _LARGEST_SEGMENT for packets in decapsulated.values())
    assert network.errors() == {}


@each_form
def test_datagrams_of_every_size_reach_their_socket_through_the_kernels_device(network, form):
    datagrams, before = [_random_bytes(length) for length in _DATAGRAM_BYTES], network.decapsulated()
    with served(network.namespaces[BACKEND], socket.SOCK_DGRAM, *form.server), network.outer_protocols() as outer:
        assert datagram_echo(network.namespaces[CLIENT], form.vip, PORT, datagrams) == datagrams
    assert outer and outer <= form.outer_protocols | {socket.IPPROTO_ICMPV6}
    assert _since(network, before) == ({form.device: len(datagrams)} if form.device else {})
    assert network.errors() == {}

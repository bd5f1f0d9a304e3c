# SPDX-License-Identifier: Apache-2.0
"""A drain that knows which connections live, because the backends' agents say so."""

import socket
import subprocess
import time

import pytest
from conftest import PREFIX
from lab_network import Lab
from lab_network.agent import SERVE_PORT
from lab_network.services import GUE, node_config
from lab_network.topology import CLIENT

SERVICE = GUE | {"transition": "3s"}
VIP4 = GUE["vips"][0]
# Without an agent's word, so long a silence is taken for the end.
SILENCE_S = 10


class AskingLab(Lab):
    def __init__(self, prefix):
        super().__init__(prefix, [SERVICE])

    def start_agents(self, say=lambda _: None):
        super().start_agents(say)
        for agent in self.agents.values():
            agent.serve()

    def node_config(self, node):
        config = node_config(node, self.services)
        config["node"]["agent_port"] = SERVE_PORT
        return config

    def say(self, *words):
        for node in self.nodes.values():
            node.cli(*words)

    def connection_to(self, backend):
        """An HTTP connection that `backend` serves, as (socket, name)."""
        with self.namespaces[CLIENT.name].entered():
            for _ in range(200):
                connection = socket.create_connection((VIP4, 80), timeout=5)
                if ask(connection) == backend:
                    return connection
                connection.close()
        raise AssertionError(f"none of 200 connections went to {backend}")


def ask(connection):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
    return connection.recv(4096).split(b"\r\n\r\n", 1)[1].decode().strip()


@pytest.fixture(scope="module")
def asking():
    prefix = PREFIX[:-1] + "d-"
    AskingLab(prefix).stop()  # what a killed run may have left
    with AskingLab(prefix) as lab:
        yield lab


@pytest.fixture
def drained(asking):
    yield asking
    asking.say("undrain", "b3")
    asking.wait_all_up()


def drain_and_wait(lab, timeout):
    lab.nodes["lb2"].cli("drain", "b3")
    argv = lab.nodes["lb1"].cli_argv("drain", "b3", "--wait", "--timeout", timeout)
    return subprocess.Popen([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_silent_connection_is_waited_for(drained):
    connection = drained.connection_to("b3")
    with connection, drain_and_wait(drained, "60s") as waiting:
        try:
            begin = time.monotonic()
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(SILENCE_S + 3)
            assert ask(connection) == "b3", "it lives all the while"
            connection.close()
            assert waiting.wait(8) == 0, waiting.stderr.read()
            assert time.monotonic() - begin > SILENCE_S
        finally:
            waiting.kill()


def test_a_backend_without_connections_is_empty_at_once(drained):
    begin = time.monotonic()
    with drain_and_wait(drained, "60s") as waiting:
        assert waiting.wait(SILENCE_S) == 0, waiting.stderr.read()
    assert time.monotonic() - begin < SILENCE_S - 2


def test_a_wait_that_is_over_says_how_many_are_left(drained):
    with drained.connection_to("b3"), drain_and_wait(drained, "3s") as waiting:
        assert waiting.wait(10) == 1
        assert "1 connection left" in waiting.stderr.read()

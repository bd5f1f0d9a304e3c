# SPDX-License-Identifier: Apache-2.0
"""Nodes that are backends too (node.agent): no tier of their own, and the same promises."""

import json
import time

import pytest
from conftest import LOGS, PREFIX
from lab_network import Lab, topology
from lab_network.binaries import binary
from lab_network.load import Load, target
from lab_network.services import GUE, node_config
from lab_network.topology import CLIENT
from lab_network.web_server import WebServer

NODES = ("lb1", "lb2")
EVERYBODY = {"lb1", "lb2", "b1", "b2", "b3", "b4"}
VIP4, VIP6 = GUE["vips"]
SERVICE = GUE | {"transition": "3s", "settle": "500ms",
                 "backends": [{"name": name, "address": topology.host(name).main.address4}
                              for name in sorted(EVERYBODY)]}


class LabOfEquals(Lab):
    """Web servers and VIPs on the nodes too; their agents come with their daemons."""

    def __init__(self, prefix):
        super().__init__(prefix, [SERVICE])
        for node in topology.NODES:
            self.web_servers[node.name] = WebServer(node, self.namespaces[node.name], self.run_dir)

    def start_daemons(self, say=lambda _: None):
        for node in topology.NODES:
            self.namespaces[node.name].ip([f"address add {VIP4}/32 dev lo", f"address add {VIP6}/128 dev lo nodad"])
        super().start_daemons(say)

    def node_config(self, node):
        config = node_config(node, self.services)
        config["node"]["agent"] = True
        return config

    def agent_status(self, name):
        done = self.namespaces[name].run(binary("phalanx-agent"), "status", "--json", "--pin-dir",
                                         self.nodes[name].pin_dir / "agent")
        return json.loads(done.stdout)

    def restore(self):
        for name in NODES:
            node = self.nodes[name]
            if self.web_servers[name].process.pid() is None:
                self.web_servers[name].start()
            self.web_servers[name].pass_check("healthz")
            if node.process.pid() is None:
                node.start()
            node.write_config(self.node_config(node.host))
            node.cli("reload")
        self.wait_all_up()


@pytest.fixture(scope="module")
def module_lab():
    prefix = PREFIX[:-1] + "e-"
    LabOfEquals(prefix).stop()  # what a killed run may have left
    with LabOfEquals(prefix) as lab:
        yield lab


@pytest.fixture
def equals(module_lab, request):
    yield module_lab
    if getattr(request.node, "failed_in_call", False):
        module_lab.keep_logs(LOGS / request.node.name)
    module_lab.restore()


def load_of(lab, **more):
    return Load(lab.namespaces[CLIENT.name], [target(VIP4), target(VIP6)], **more)


def kept_by(lab, name):
    return lab.nodes[name].query("status")["counters"]["kept"]


def wait_down_on_both(lab, name):
    lab.wait_states(lambda states: states["gue", name] == "down", f"{name} down", within=5)


def expect_nothing_felt(load):
    summary = load.stop()
    assert (summary["failed"], summary["breaks"]) == (0, 0), load.failures[:5] + load.breaks[:5]


@pytest.mark.parametrize("vip", [VIP4, VIP6], ids=["ipv4", "ipv6"])
def test_nodes_serve_beside_the_backends(equals, vip):
    equals.expect_only(EVERYBODY, within=10, vip=vip)
    kept = {name: kept_by(equals, name) for name in NODES}
    deadline = time.monotonic() + 10
    while any(kept_by(equals, name) == kept[name] for name in NODES):  # whom the router chooses, ports decide
        equals.expect_only(EVERYBODY, within=10, vip=vip)
        assert time.monotonic() < deadline, "a node gave itself nothing"
    taken = "decapsulated_gue_6in4" if ":" in vip else "decapsulated_gue_4in4"
    assert all(equals.agent_status(name)["counters"][taken] > 0 for name in NODES)


def test_a_flow_that_the_own_socket_does_not_know_is_passed_on(equals):
    """Its check fails on both nodes: its connections come to others first, who pass them on to it, and it to others."""
    with load_of(equals) as load:
        load.wait_steady()
        equals.web_servers["lb1"].fail_check("healthz")
        wait_down_on_both(equals, "lb1")
        time.sleep(1)  # the load itself
        equals.web_servers["lb1"].pass_check("healthz")
        equals.wait_all_up()
        expect_nothing_felt(load)
    assert sum(equals.agent_status(name)["counters"]["passed_on"] for name in NODES) > 0


def test_a_node_whose_server_died_serves_the_others(equals):
    with load_of(equals, connections=40, timeout_ms=2000, fresh=True) as load:
        load.wait_steady()
        equals.web_servers["lb1"].process.kill()
        gone_ns = time.monotonic_ns()
        wait_down_on_both(equals, "lb1")
        refused = [f for f in load.failures if f["stage"] == "connect" and f["begin_ns"] > gone_ns]
        assert refused == [], "a SYN moves on where nobody listens"


def test_the_daemon_dies_and_returns_and_nobody_notices(equals):
    with load_of(equals) as load:
        load.wait_steady()
        for name in NODES:
            equals.nodes[name].process.kill()
            equals.nodes[name].start()
        equals.wait_all_up()
        expect_nothing_felt(load)


def test_without_the_key_the_node_says_why_it_is_no_backend(equals):
    node = equals.nodes["lb1"]
    config = node.read_config()
    config["node"]["agent"] = False
    node.write_config(config)
    node.cli("reload")
    own, = [b for b in node.query("backends") if b["name"] == "lb1"]
    assert own["state"] == "down" and '"node.agent": true' in own["reason"], own
    assert not (node.pin_dir / "agent").exists(), "its agent went"

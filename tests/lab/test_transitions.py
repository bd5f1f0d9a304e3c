# SPDX-License-Identifier: Apache-2.0
"""The set of backends changes under load, again and again, and only a dead backend's own connections break."""

import time

import pytest
from conftest import PREFIX
from lab_network import Lab
from lab_network.load import Load, target
from lab_network.services import VIP4, VIP6, WEB
from lab_network.topology import CLIENT

WINDOW_S = 3
CHANGING = WEB | {"transition": f"{WINDOW_S}s", "settle": "500ms"}
# Connections of the dead backend end within the client's time-out, and its own noticing.
FELT_NS = int(3.5e9)


def with_backends(config, names):
    services = [service | {"backends": [b for b in CHANGING["backends"] if b["name"] in names]}
                for service in config["services"]]
    return config | {"services": services}


class ChangingLab(Lab):
    """A lab whose nodes are told the same, one after the other, as a fleet is."""

    def set_backends(self, names):
        for node in self.nodes.values():
            node.write_config(with_backends(node.read_config(), names))
            node.cli("reload")

    def say(self, *words):
        for node in self.nodes.values():
            node.cli(*words)

    def backends_that_hold_slots(self):
        return [{b["name"] for b in node.query("backends") if b["slots"]["primary"] > 0} for node in self.nodes.values()]

    def wait_holding_slots(self, names, within=10):
        deadline = time.monotonic() + within
        while self.backends_that_hold_slots() != [names] * len(self.nodes):
            assert time.monotonic() < deadline, f"{self.backends_that_hold_slots()} hold slots, not {names}"
            time.sleep(0.05)

    def wait_nothing_tracked(self, within=4 * WINDOW_S):
        deadline = time.monotonic() + within
        while any(s["slots_tracked"] for node in self.nodes.values() for s in node.query("services")):
            assert time.monotonic() < deadline, "slots are still tracked long after the last window"
            time.sleep(0.1)


@pytest.fixture
def changing_lab():
    prefix = PREFIX[:-1] + "c-"
    ChangingLab(prefix).stop()
    with ChangingLab(prefix, [CHANGING]) as lab:
        lab.set_backends({"b1", "b2", "b3"})
        lab.wait_nothing_tracked()
        yield lab


def observe(seconds):
    """The load is observed for so long."""
    time.sleep(seconds)


ALL = {"b1", "b2", "b3", "b4"}


def test_only_the_dead_backends_connections_break_whatever_changes(changing_lab):
    lab, space = changing_lab, changing_lab.namespaces[CLIENT.name]
    targets = [target(VIP4), target(VIP6)]
    busy = Load(space, targets, connections=100, interval_ms=20)
    idle = Load(space, targets, connections=100, interval_ms=2000)
    faults_ns = []
    with busy, idle:
        busy.wait_steady()
        idle.wait_steady(within=15)

        lab.set_backends(ALL)
        lab.wait_holding_slots(ALL)
        observe(WINDOW_S + 1)

        lab.say("drain", "b2")
        lab.wait_holding_slots(ALL - {"b2"})
        observe(1)
        lab.say("undrain", "b2")
        lab.wait_holding_slots(ALL)

        lab.say("weight", "b3", "300")
        observe(WINDOW_S + 1)
        lab.say("weight", "b3", "config")

        for _ in range(2):
            faults_ns.append(lab.kill("b1"))
            lab.wait_holding_slots(ALL - {"b1"})
            lab.revive("b1")
            lab.wait_holding_slots(ALL)
        observe(3 * WINDOW_S + 1)
        busy.stop()
        idle.stop()

    breaks = busy.breaks + idle.breaks
    assert [b for b in breaks if b["backend"] != "b1"] == [], "connections to backends that never died broke"
    late = [b for b in breaks if not any(0 <= b["end_ns"] - fault < FELT_NS for fault in faults_ns)]
    assert late == [], "connections broke when nothing had died"
    failed_elsewhere = [f for f in busy.failures + idle.failures
                        if not any(0 <= f["end_ns"] - fault < FELT_NS for fault in faults_ns)]
    assert failed_elsewhere == [], "requests failed when nothing had died"
    assert any(b for b in breaks), "nobody noticed that b1 died: it did not"
    lab.wait_nothing_tracked()


def test_a_removed_backend_serves_its_connections_until_the_deadline(changing_lab):
    lab = changing_lab
    with Load(lab.namespaces[CLIENT.name], [target(VIP4)], connections=60, interval_ms=20) as load:
        load.wait_steady()
        lab.set_backends({"b1", "b2"})
        lab.wait_holding_slots({"b1", "b2"})
        observe(WINDOW_S / 2)
        assert "b3" in load.backends().values(), "nobody was on b3"
        assert load.breaks == []
        lab.wait_nothing_tracked()
        load.stop()
    assert {b["backend"] for b in load.breaks} <= {"b3"}

# SPDX-License-Identifier: Apache-2.0
"""What happens to a fleet while connections carry data. Each event says how the fleet stands before, and what is done."""

import time

from lab_network.topology import host

from benchmarks.connections.fleet import ALL, NODES, wait_until
from benchmarks.connections.flood import Flood

EVENTS = {}


class Event:
    """One row of the table. key: its name. excused: the backend whose own connections may break, or None."""

    def __init__(self, act, key, prepare, load, excused):
        self.act, self.key, self.prepare, self.load, self.excused = act, key, prepare, load, excused


def event(key, prepare=lambda fleet: None, load=None, excused=None):
    """Registers a function of a Trial. prepare: called with the fleet before there is load. load: more for Load()."""
    def register(act):
        EVENTS[key] = Event(act, key, prepare, load or {}, excused)
        return act
    return register


def without(*names):
    def prepare(fleet):
        fleet.set_backends(ALL - set(names))
        fleet.wait_in_use(ALL - set(names))
        fleet.wait_settled()
    return prepare


def b2_is_dead(fleet):
    fleet.lab.kill("b2")
    fleet.wait_in_use(ALL - {"b2"})
    fleet.wait_settled()


def lb1_is_dead(fleet):
    fleet.kill_node("lb1")
    fleet.lab.wait_announced(["lb2"])


# ---- backends

@event("add", prepare=without("b4"))
def add(trial):
    trial.fleet.set_backends(ALL)
    trial.fleet.wait_in_use(ALL)


@event("remove", load={"requests": 10})
def remove(trial):
    drain_until_empty(trial, "b4")
    trial.fleet.set_backends(ALL - {"b4"})
    trial.fleet.wait_in_use(ALL - {"b4"})


def drain_until_empty(trial, backend):
    trial.fleet.drain(backend)
    trial.fleet.wait_in_use(ALL - {backend})
    wait_until(lambda: backend not in trial.load.backends().values(), f"{backend} has no connection left", 20)


@event("weight")
def weight(trial):
    trial.fleet.weigh("b3", 300)
    trial.hold(1)
    trial.fleet.weigh("b3", 100)


@event("recover", prepare=b2_is_dead)
def recover(trial):
    trial.fleet.lab.revive("b2")
    trial.fleet.wait_in_use(ALL)


# ---- nodes

@event("node-kill")
def node_kill(trial):
    trial.fleet.kill_node("lb1")
    trial.fleet.lab.wait_announced(["lb2"])


@event("node-link")
def node_link(trial):
    trial.fleet.lab.cut_node_link("lb1")
    trial.fleet.lab.wait_announced(["lb2"])


@event("node-return", prepare=lb1_is_dead)
def node_return(trial):
    trial.fleet.return_node("lb1")
    trial.fleet.lab.wait_announced(NODES)


# ---- both in the same second, in an order and at a distance that the trial's seed chooses

def within_a_second(trial, *actions):
    actions = list(actions)
    trial.random.shuffle(actions)
    moments = sorted(trial.random.uniform(0, 1) for _ in actions)
    begin = time.monotonic()
    for moment, act in zip(moments, actions):
        time.sleep(max(0, begin + moment - time.monotonic()))
        act()


@event("node-kill-add", prepare=without("b4"))
def node_kill_add(trial):
    within_a_second(trial, lambda: trial.fleet.kill_node("lb1"), lambda: trial.fleet.set_backends(ALL))
    trial.fleet.wait_in_use(ALL)


@event("node-kill-drain")
def node_kill_drain(trial):
    within_a_second(trial, lambda: trial.fleet.kill_node("lb1"), lambda: trial.fleet.drain("b3"))
    trial.fleet.wait_in_use(ALL - {"b3"})


@event("node-kill-recover", prepare=b2_is_dead)
def node_kill_recover(trial):
    within_a_second(trial, lambda: trial.fleet.kill_node("lb1"), lambda: trial.fleet.lab.revive("b2"))
    trial.fleet.wait_in_use(ALL)


# ---- health

@event("disagree")
def disagree(trial):
    server = trial.fleet.lab.web_servers["b3"]
    server.refuse_checks_of(host("lb1"))
    trial.hold(10)
    server.pass_checks_of(host("lb1"))
    trial.fleet.wait_in_use(ALL)


@event("flap")
def flap(trial):
    server = trial.fleet.lab.web_servers["b3"]
    server.fail_check("healthz")
    trial.fleet.wait_in_use(ALL - {"b3"})
    trial.hold(1)
    server.pass_check("healthz")
    trial.fleet.wait_in_use(ALL)


def crash_and_restart(trial):
    trial.excuse(lambda: trial.fleet.lab.kill("b2"))
    trial.hold(1)
    trial.fleet.lab.revive("b2")
    trial.hold(1)


@event("crash", excused="b2")
def crash(trial):
    with trial.newcomers():
        crash_and_restart(trial)


# ---- the control plane

@event("headless", excused="b2")
def headless(trial):
    trial.fleet.kill_daemons()
    if not trial.fleet.path_outlives_daemon:
        return
    with trial.newcomers():
        trial.fleet.lab.cut_node_link("lb1")
        trial.hold(2)
        trial.fleet.lab.network.mend("lb1")
        trial.fleet.lab.wait_announced(NODES)
        crash_and_restart(trial)
    trial.fleet.kill_node("lb2")


@event("upgrade")
def upgrade(trial):
    for node in NODES:
        trial.fleet.upgrade(node)


# ---- an attack at the worst of times

@event("flood")
def flood(trial):
    with Flood(trial.fleet, trial.number) as attack:
        attack.wait_flowing()
        trial.fleet.drain("b3")
        trial.fleet.wait_in_use(ALL - {"b3"})
        trial.hold(3)
        trial.fleet.wait_flooded()
        trial.fleet.kill_node("lb1")
        attack.wait_done()

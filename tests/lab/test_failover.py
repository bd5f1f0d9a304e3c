# SPDX-License-Identifier: Apache-2.0
"""A backend dies under load: who notices, and for how long."""

import time

import pytest
from lab_network.lab import CUTS
from lab_network.load import Load, target
from lab_network.services import DETECTION_S, VIP4, VIP6
from lab_network.topology import CLIENT

# What begins later than this after the fault must not fail: detection, and 50 ms for the store and the timers.
DEADLINE_NS = int((DETECTION_S + 0.05) * 1e9)
TIMEOUT_NS = int(3e9)
TIMER_GRAIN_NS = int(0.05e9)


def watch_until(moment_ns):
    """The load is observed until then: long enough for every request at the fault to have met its time-out."""
    while (left_ns := moment_ns - time.monotonic_ns()) > 0:
        time.sleep(left_ns / 1e9)


def ms(ns):
    return round(ns / 1e6, 1)


@pytest.mark.parametrize("how", CUTS)
def test_backend_dies_and_only_its_own_clients_notice(lab, load, how):
    victims = {connection for connection, backend in load.backends().items() if backend == "b1"}
    assert len(victims) >= 30, f"only {len(victims)} of {load.connections} connections are on b1"

    fault_ns = lab.cut("b1", how)
    watch_until(fault_ns + DEADLINE_NS + TIMEOUT_NS + int(1e9))
    summary = load.stop()

    felt = f"client stall {summary['longest_client_stall_ms']:.0f} ms, {summary['requests_per_second']:.0f} requests/s"
    assert [b for b in load.breaks if b["backend"] != "b1"] == [], "connections to other backends broke"
    assert {f["connection"] for f in load.failures} <= victims, "requests of other backends' clients failed"
    late = [(ms(f["begin_ns"] - fault_ns), f["stage"], f["reason"]) for f in load.failures
            if f["begin_ns"] > fault_ns + DEADLINE_NS]
    assert late == [], f"requests begun over {ms(DEADLINE_NS)} ms after the fault failed ({felt})"
    long = [ms(r["end_ns"] - r["begin_ns"]) for r in load.failures + load.slow
            if r["end_ns"] - r["begin_ns"] > TIMEOUT_NS + TIMER_GRAIN_NS]
    assert long == [], f"requests took longer than the time-out ({felt})"
    assert load.failures, "nobody noticed: the fault was none"
    assert all("b1" not in c["backends"][-1] for c in summary["connections"]), "somebody is still served by b1"


@pytest.mark.parametrize("how", CUTS)
def test_new_connections_succeed_as_soon_as_the_backend_is_found_dead(lab, how):
    """Each request on its own connection, with less patience than a SYN needs to be sent again: this sees every
    millisecond for which the dead backend's slots are served by nobody."""
    targets = [target(VIP4), target(VIP6)]
    with Load(lab.namespaces[CLIENT.name], targets, connections=40, timeout_ms=500, fresh=True) as load:
        load.wait_steady()
        fault_ns = lab.cut("b1", how)
        watch_until(fault_ns + int(2e9))
        summary = load.stop()
    begun_ms = [ms(f["begin_ns"] - fault_ns) for f in load.failures]
    assert begun_ms, "nobody noticed: the fault was none"
    assert max(begun_ms) <= ms(DEADLINE_NS), f"client stall {summary['longest_client_stall_ms']:.0f} ms"


def test_revived_backend_gets_its_share_back(lab):
    lab.cut("b3", "drop")
    lab.expect_only({"b1", "b2", "b4"}, within=DETECTION_S + 2)
    lab.revive("b3")
    lab.expect_only({"b1", "b2", "b3", "b4"}, within=5)


def test_last_backend_carries_everything(lab):
    for name in ("b1", "b2", "b3"):
        lab.kill(name)
    lab.expect_only("b4", within=DETECTION_S + 2)

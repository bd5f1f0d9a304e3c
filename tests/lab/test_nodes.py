# SPDX-License-Identifier: Apache-2.0
"""Nodes die, return and are drained behind a router that learns of them by BGP with BFD."""

import os
import time

import pytest
from lab_network import Lab, LabError
from lab_network.load import Load, target
from lab_network.routing import BFD_S, FALLBACK, PROTOCOLS
from lab_network.services import VIP4, VIP6, WEB, node_config
from lab_network.topology import CLIENT, host

from conftest import LOGS, PREFIX

# What begins later than this after a node fell silent must not fail: BFD, and the router's work.
WINDOW_NS = int((BFD_S + 0.25) * 1e9)
GRACE_S = 3
BOTH = ("lb1", "lb2")


@pytest.fixture(scope="module")
def module_lab():
    prefix = PREFIX[:-1] + "n-"
    Lab(prefix, bird=True).stop()  # what a killed run may have left
    with Lab(prefix, [WEB], bird=True) as lab:
        yield lab


@pytest.fixture
def routed(module_lab, request):
    """The lab with both nodes announced, before the test and after it."""
    yield module_lab
    if getattr(request.node, "failed_in_call", False):
        module_lab.keep_logs(LOGS / request.node.name)
    try:
        for node in module_lab.nodes.values():
            node.write_config(node_config(node.host, module_lab.services, module_lab.announce(node.host.name)))
        module_lab.revive_all()
        for node in module_lab.nodes.values():
            node.cli("reload")
            node.cli("node", "undrain")
            if any(service["slots_tracked"] for service in node.query("services")):
                # It would send flows that come from the other node where they would have gone during the fault.
                node.forget()
                node.start()
        module_lab.wait_all_up()
        module_lab.wait_announced(BOTH)
    except LabError:
        # The next test must not inherit the damage; this one is told of it.
        module_lab.keep_logs(LOGS / request.node.name)
        module_lab.stop()
        module_lab.start()
        raise


def load_of(lab, **more):
    return Load(lab.namespaces[CLIENT.name], [target(VIP4), target(VIP6)], **more)


def watch(load, seconds=2):
    """Lets the load run for a while; what it felt is asserted afterwards."""
    seen = len(load.seconds())
    while len(load.seconds()) < seen + seconds:
        time.sleep(0.02)


def announcement(lab, name):
    return lab.nodes[name].query("status")["announcement"]


def wait_until(condition, wanted, within=10):
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s: {wanted}"
        time.sleep(0.02)


def expect_nothing_felt(load):
    summary = load.stop()
    assert (summary["failed"], summary["breaks"]) == (0, 0), load.failures[:5] + load.breaks[:5]


def test_both_nodes_are_announced_and_get_packets(routed):
    served = {name: routed.nodes[name].query("services")[0]["packets"] for name in BOTH}
    routed.expect_only({"b1", "b2", "b3", "b4"}, within=5)
    for name in BOTH:
        assert announcement(routed, name)["state"] == "preferred"
        assert routed.nodes[name].query("services")[0]["packets"] > served[name], f"{name} got nothing"


@pytest.mark.parametrize("how", ["kill_node", "cut_node_link"])
def test_node_lost_and_new_connections_succeed_after_bfds_window(routed, how):
    with load_of(routed, connections=40, timeout_ms=500, fresh=True) as load:
        load.wait_steady()
        fault_ns = getattr(routed, how)("lb1")
        routed.wait_announced(["lb2"])
        watch(load)
        summary = load.stop()
    late = [f for f in load.failures if f["begin_ns"] > fault_ns + WINDOW_NS]
    assert late == [], f"client stall {summary['longest_client_stall_ms']:.0f} ms"


@pytest.mark.parametrize("how", ["kill_node", "cut_node_link"])
def test_node_lost_and_no_connection_breaks(routed, how):
    with load_of(routed) as load:
        load.wait_steady()
        owners = load.backends()
        getattr(routed, how)("lb1")
        routed.wait_announced(["lb2"])
        watch(load)
        assert load.backends() == owners, "flows moved to other backends"
        expect_nothing_felt(load)


def test_node_returns_and_nobody_notices(routed):
    routed.kill_node("lb1")
    routed.wait_announced(["lb2"])
    with load_of(routed) as load:
        load.wait_steady()
        routed.revive("lb1")
        routed.wait_announced(BOTH)
        watch(load)
        expect_nothing_felt(load)


@pytest.mark.parametrize("fresh", [False, True])
def test_drained_node_loses_no_packet_and_the_word_outlives_a_restart(routed, fresh):
    with load_of(routed, fresh=fresh, connections=100) as load:
        load.wait_steady()
        routed.nodes["lb1"].cli("node", "drain")
        routed.wait_announced(["lb2"])
        routed.kill("lb1")
        routed.revive("lb1")
        assert announcement(routed, "lb1")["reason"] == "drained by the operator"
        watch(load)
        routed.wait_announced(["lb2"])
        routed.nodes["lb1"].cli("node", "undrain")
        routed.wait_announced(BOTH)
        watch(load)
        expect_nothing_felt(load)


def test_daemon_restarted_within_the_grace_leaves_the_routes_alone(routed):
    log = routed.run_dir / "logs" / "lb1-bird.log"
    before = len(log.read_text())
    routed.nodes["lb1"].process.end()
    assert routed.network.vip_nodes(4) == {host(name).main.address4 for name in BOTH}
    routed.revive("lb1")
    wait_until(lambda: announcement(routed, "lb1")["state"] == "preferred", "announced by the new daemon")
    assert "protocol phalanx" not in log.read_text()[before:], "the routes changed while the daemon was away"


def test_daemon_dead_beyond_the_grace_is_noticed_by_the_guard(routed):
    killed = time.monotonic()
    routed.kill("lb1")
    routed.wait_announced(["lb2"], within=GRACE_S + 10)
    # The guard saw the daemon last at most a look before it was killed.
    assert time.monotonic() - killed >= GRACE_S - 0.2, "sooner than the grace"
    # Packets are served still, so the routes stay at worse preference, for the case that nobody else has any.
    bird = routed.birds["lb1"]
    wait_until(lambda: bird.is_enabled(FALLBACK[0]) and not bird.is_enabled(PROTOCOLS[0]), "worse routes only")
    routed.revive("lb1")
    routed.wait_announced(BOTH)


def test_traffic_flows_when_every_daemon_is_dead_beyond_the_grace(routed):
    with load_of(routed) as load:
        load.wait_steady()
        for name in BOTH:
            routed.kill(name)
        for name in BOTH:
            bird = routed.birds[name]
            wait_until(lambda b=bird: b.is_enabled(FALLBACK[0]) and not b.is_enabled(PROTOCOLS[0]),
                       f"worse routes of {name} only", GRACE_S + 10)
        routed.wait_announced(BOTH)
        watch(load)
        expect_nothing_felt(load)


def test_drained_node_without_daemon_stays_withdrawn(routed):
    routed.nodes["lb1"].cli("node", "drain")
    routed.kill("lb1")
    guard_log = routed.run_dir / "logs" / "lb1-guard.log"
    seen = guard_log.read_text()
    wait_until(lambda: "drained by the operator" in guard_log.read_text()[len(seen):], "the guard acts", GRACE_S + 10)
    routed.wait_announced(["lb2"])
    assert not routed.birds["lb1"].is_enabled(FALLBACK[0])


def test_program_taken_away_is_noticed_and_the_routes_withdrawn(routed):
    """Whatever the daemon sees of it: it is dead, so this is the guard's doing, before the grace is over."""
    node = routed.nodes["lb1"]
    routed.kill("lb1")
    os.unlink(node.pin_dir / "link-eth0")
    routed.wait_announced(["lb2"])
    assert not routed.birds["lb1"].is_enabled(FALLBACK[0])


def test_down_withdraws_first_and_loses_nothing(routed):
    with load_of(routed) as load:
        load.wait_steady()
        routed.nodes["lb1"].process.end()
        routed.nodes["lb1"].cli("down")
        routed.wait_announced(["lb2"])
        watch(load)
        expect_nothing_felt(load)


def test_daemon_that_detaches_on_exit_withdraws_first_and_loses_nothing(routed):
    node = routed.nodes["lb1"]
    config = node.read_config()
    config["node"]["on_exit"] = "detach"
    node.write_config(config)
    node.cli("reload")
    with load_of(routed) as load:
        load.wait_steady()
        node.process.end(within=10)
        routed.wait_announced(["lb2"])
        assert not node.pin_dir.exists()
        watch(load)
        expect_nothing_felt(load)


def test_node_without_reachable_backend_announces_at_worse_preference(routed):
    node = routed.nodes["lb1"]
    config = node.read_config()
    config["checks"]["web"]["port"] = 81  # where nobody listens
    node.write_config(config)
    node.cli("reload")
    routed.wait_announced(["lb2"])
    assert announcement(routed, "lb1")["state"] == "worse"
    assert routed.birds["lb1"].is_enabled(FALLBACK[0])


def test_bird_restarted_is_told_again(routed):
    bird = routed.birds["lb1"]
    bird.process.kill()
    routed.wait_announced(["lb2"])
    wait_until(lambda: announcement(routed, "lb1")["state"] == "unknown", "the daemon notices")
    wait_until(lambda: "no BIRD runs there" in announcement(routed, "lb1")["problem"], "it says why")
    bird.start()
    routed.wait_announced(BOTH)
    wait_until(lambda: announcement(routed, "lb1")["state"] == "preferred", "BIRD confirms")


def test_protocol_disabled_by_hand_is_enabled_again(routed):
    log = routed.run_dir / "logs" / "lb1-bird.log"
    before = len(log.read_text())
    routed.namespaces["lb1"].run("birdc", "-s", routed.birds["lb1"].socket, "disable", PROTOCOLS[0])
    wait_until(lambda: f"Enabling protocol {PROTOCOLS[0]}" in log.read_text()[before:], "enabled again")

# SPDX-License-Identifier: Apache-2.0
"""A daemon dies and returns: the packet path does not care."""

import time

import pytest

OBSERVED_S = 2


def observe(load):
    """Lets the load run for a while; what it felt is asserted afterwards."""
    seen = len(load.seconds())
    while len(load.seconds()) < seen + OBSERVED_S:
        time.sleep(0.02)


def test_daemon_killed_and_restarted_under_load_costs_nothing(lab, load):
    node = lab.nodes["lb1"]
    owners, digest = load.backends(), node.digest("web")

    lab.kill("lb1")
    assert not node.daemon_answers()
    observe(load)
    assert node.digest("web") == digest, "the pinned table changed without a daemon"
    lab.revive("lb1")
    observe(load)

    assert node.digest("web") == digest, "the restarted daemon published another table"
    assert load.backends() == owners, "flows moved to other backends"
    summary = load.stop()
    assert (summary["failed"], summary["breaks"]) == (0, 0), load.failures[:5] + load.breaks[:5]


def test_traffic_flows_with_no_daemon_at_all(lab, load):
    for name in lab.nodes:
        lab.kill(name)
    observe(load)
    summary = load.stop()
    assert (summary["failed"], summary["breaks"]) == (0, 0), load.failures[:5] + load.breaks[:5]


def test_daemon_that_returns_finds_out_what_died_meanwhile(lab):
    for name in lab.nodes:
        lab.kill(name)
    lab.kill("b2")
    for name in lab.nodes:
        lab.revive(name)
    lab.expect_only({"b1", "b3", "b4"}, within=3)


def test_daemon_that_is_asked_while_it_starts_answers_when_it_is_ready(lab):
    """A backend that does not answer keeps a fresh start waiting for two seconds."""
    node = lab.nodes["lb1"]
    lab.cut("b1", "drop")
    node.forget()
    node.start()  # returns when the lock is taken, long before
    assert "running" in node.cli("events").stdout
    assert node.process.pid() is not None


@pytest.mark.parametrize("socket", ["phalanx", "second"])
def test_second_daemon_on_the_same_pins_is_refused_and_harms_nothing(lab, socket):
    """Whether it would use the first one's socket too or one of its own."""
    node = lab.nodes["lb1"]
    pid = node.process.pid()
    path = node.socket if socket == "phalanx" else node.socket.with_name("second.sock")
    argv = [*node.daemon_argv()[:-1], path]
    second = lab.namespaces["lb1"].run(*argv, check=False)
    assert second.returncode == 1
    assert str(pid) in second.stderr + second.stdout, f"the first daemon is not named: {second.stderr}"
    assert node.daemon_answers() and node.process.pid() == pid

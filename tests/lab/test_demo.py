# SPDX-License-Identifier: Apache-2.0
"""tools/demo as a newcomer runs it: it succeeds, and leaves nothing, also when interrupted."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from lab_network import Lab, topology

PREFIX = "phxdemo-"
LIMIT_S = 60
# The command after the build, which would only wait for the one that these tests run from.
COMMAND = ["/usr/bin/python3", "-B", "-m", "demonstration", "--prefix", PREFIX]
TOOLS = Path(__file__).resolve().parents[2] / "tools"


def start_demo():
    return subprocess.Popen(COMMAND, cwd=TOOLS, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True)


@pytest.fixture
def nothing_left():
    """No part of the demo's lab is there afterwards; whatever is, is removed for the next test's sake."""
    yield
    lab = Lab(PREFIX)
    left = [n.name for n in lab.namespaces.values() if n.exists()] + [str(p) for p in [lab.run_dir] if p.exists()]
    words = f"/run/phalanx-lab/{PREFIX[:-1]}/"
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if words in (directory / "cmdline").read_bytes().decode(errors="replace"):
                left.append(f"process {directory.name}")
        except OSError:
            continue  # it ended meanwhile
    lab.stop()
    assert left == [], "the demo left this behind"


def test_demo_succeeds_within_a_minute(nothing_left):
    began = time.monotonic()
    demo = start_demo()
    try:
        output, _ = demo.communicate(timeout=3 * LIMIT_S)
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
    assert demo.returncode == 0, output
    assert time.monotonic() - began < LIMIT_S, output
    assert max(len(line) for line in output.splitlines()) <= 80, output


@pytest.mark.parametrize("moment", ["starting the lab", "network:", "daemons:", "all is well", "its web server is killed"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_demo_leaves_nothing(nothing_left, moment, number):
    demo = start_demo()
    try:
        output = ""
        while moment not in output:
            line = demo.stdout.readline()
            assert line, f"the demo ended before {moment!r}: {output}"
            output += line
        demo.send_signal(number)
        rest, _ = demo.communicate(timeout=30)
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
    assert demo.returncode == 130, output + rest


def test_lab_refuses_to_start_twice_and_harms_nothing(lab):
    done = subprocess.run([TOOLS / "lab", "--prefix", lab.prefix, "start"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "tools/lab" in done.stderr and "stop" in done.stderr
    assert lab.namespaces[topology.ROUTER].exists()
    lab.expect_only({"b1", "b2", "b3", "b4"}, within=2)

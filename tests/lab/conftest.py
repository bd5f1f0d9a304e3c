# SPDX-License-Identifier: Apache-2.0
"""The lab as a fixture: one for the session, whole again after each test."""

import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
sys.dont_write_bytecode = True

from lab_network import Lab, LabError  # noqa: E402
from lab_network.binaries import BUILD  # noqa: E402
from lab_network.load import Load, target  # noqa: E402
from lab_network.services import SERVICES, VIP4, VIP6  # noqa: E402
from lab_network.topology import CLIENT  # noqa: E402

# Not the prefix that people use by hand: their lab may run beside the tests.
PREFIX = os.environ.get("PHALANX_LAB_PREFIX", "phxtest-")
LOGS = BUILD / "test-logs" / "lab"


def pytest_configure():
    # SIGTERM ends a run as Ctrl-C does, by removing the lab.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def session_lab():
    Lab(PREFIX).stop()  # what a killed run may have left
    with Lab(PREFIX, SERVICES.values()) as lab:
        yield lab


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.failed_in_call = outcome.get_result().failed


@pytest.fixture
def lab(session_lab, request):
    """The lab with every part alive and every backend up, before the test and after it."""
    yield session_lab
    if getattr(request.node, "failed_in_call", False):
        session_lab.keep_logs(LOGS / request.node.name)
        print(f"logs of every part: {LOGS / request.node.name}")
    try:
        session_lab.revive_all()
        session_lab.wait_all_up()
    except LabError:
        # The next test must not inherit the damage; this one is told of it.
        session_lab.keep_logs(LOGS / request.node.name)
        session_lab.stop()
        session_lab.start()
        raise


@pytest.fixture
def load(lab):
    """200 keep-alive connections to "web" in both families, a request every 20 ms on each; steady."""
    with Load(lab.namespaces[CLIENT.name], [target(VIP4), target(VIP6)]) as running:
        running.wait_steady()
        yield running

# SPDX-License-Identifier: Apache-2.0
"""One network for the session, with the balancer on its node."""

import json
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
sys.dont_write_bytecode = True

from forms import FORMS, config  # noqa: E402
from lab_network.binaries import binary  # noqa: E402
from lab_network.command_run import run  # noqa: E402
from network import NODE, Network  # noqa: E402


def pytest_configure():
    # SIGTERM ends a run as Ctrl-C does, by removing the network.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    directory = tmp_path_factory.mktemp("phalanx")
    (directory / "bpf").mkdir()
    (directory / "phalanx.json").write_text(json.dumps(config()))
    network = Network("phxvm-")
    where = ["--pin-dir", directory / "bpf" / "node", "--socket", directory / "socket"]
    run(["mount", "-t", "bpf", "bpf", directory / "bpf"])
    try:
        network.build([form.vip for form in FORMS if form.device])
        node = network.namespaces[NODE]
        node.run(binary("phalanx"), "up", "--config", directory / "phalanx.json", *where, timeout=60)
        yield network
        node.run(binary("phalanx"), "down", *where)
    finally:
        network.remove()
        run(["umount", directory / "bpf"])

# SPDX-License-Identifier: Apache-2.0
"""phalanx-agent on a backend of the lab."""

import json
from pathlib import Path

from lab_network.binaries import binary
from lab_network.process import Process

SERVE_PORT = 9641


class Agent:
    def __init__(self, host, namespace, run_dir):
        """host: topology.Host of the backend. run_dir: the lab's, with bpffs mounted at run_dir/bpf."""
        self._host = host
        self._namespace = namespace
        self._log = Path(run_dir) / "logs" / f"{host.name}-agent.log"
        self.server = Process(f"{host.name}-agent", Path(run_dir) / "processes")
        self._config_path = Path(run_dir) / f"{host.name}.json"
        self.pin_dir = Path(run_dir) / "bpf" / host.name

    def write_config(self, config):
        self._config_path.write_text(json.dumps(config, indent=2) + "\n")

    def serve(self):
        """Answers at SERVE_PORT of its own address, until the lab ends."""
        at = f"{self._host.main.address4}:{SERVE_PORT}"
        argv = self._namespace.argv(binary("phalanx-agent"), "serve", "--listen", at, "--pin-dir", self.pin_dir)
        self.server.start(argv, self._log)

    def up(self):
        """Returns what it warns of."""
        return self._namespace.run(binary("phalanx-agent"), "up", "--config", self._config_path,
                                   "--pin-dir", self.pin_dir).stderr

    def status(self):
        return json.loads(self._namespace.run(binary("phalanx-agent"), "status", "--json", "--pin-dir", self.pin_dir).stdout)

    def down(self):
        """Nothing to do if it is not there."""
        if self.pin_dir.exists():
            self._namespace.run(binary("phalanx-agent"), "down", "--pin-dir", self.pin_dir)

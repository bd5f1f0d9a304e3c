# SPDX-License-Identifier: Apache-2.0
"""Phalanx on a node of the lab: its daemon, its CLI, its configuration."""

import json
import os
import time
from pathlib import Path

from lab_network.binaries import binary
from lab_network.errors import LabError
from lab_network.process import Process


# The daemon with its packet path, and the same with another build of it (tests/lab/CMakeLists.txt).
BUILDS = ("phalanxd", "phalanxd_next")


class Node:
    def __init__(self, host, namespace, run_dir):
        """host: topology.Host of the node. run_dir: the lab's, with bpffs mounted at run_dir/bpf."""
        self.host = host
        self._namespace = namespace
        self._log = Path(run_dir) / "logs" / f"{host.name}-phalanxd.log"
        self.config_path = Path(run_dir) / f"{host.name}.json"
        self.pin_dir = Path(run_dir) / "bpf" / host.name
        self.socket = Path(run_dir) / f"{host.name}.sock"
        self.process = Process(f"{host.name}-phalanxd", Path(run_dir) / "processes")
        self.build = BUILDS[0]  # which of them the next start runs
        self._guard_log = Path(run_dir) / "logs" / f"{host.name}-guard.log"
        self.guard = Process(f"{host.name}-guard", Path(run_dir) / "processes")

    def write_config(self, config):
        self.config_path.write_text(json.dumps(config, indent=2) + "\n")

    def read_config(self):
        return json.loads(self.config_path.read_text())

    def start(self):
        """Starts the daemon and waits until it answers."""
        self.process.start(self._namespace.argv(*self.daemon_argv()), self._log)
        self.wait_running()

    def start_guard(self):
        self.guard.start(self.cli_argv("guard", "--config", self.config_path), self._guard_log)

    def daemon_argv(self):
        return [binary(self.build), "--config", self.config_path, *self._where()]

    def wait_running(self, within=10):
        deadline = time.monotonic() + within
        while not self.daemon_answers():
            if self.process.pid() is None:
                raise LabError(f"start phalanxd on {self.host.name}: it ended; its last words: {self._last_words()}")
            if time.monotonic() > deadline:
                raise LabError(f"start phalanxd on {self.host.name}: no answer within {within} s; see {self._log.name}")
            time.sleep(0.02)

    def upgrade(self):
        """Stops the daemon and starts its other build; every interface must get that one's program."""
        before = self.programs()
        running = self._running_build()
        self.process.end()
        self.build = BUILDS[1 - BUILDS.index(running)]
        self.start()
        self.cli("events")  # answered when the start is over
        after = self.programs()
        left = sorted(interface for interface, program in after.items() if program == before.get(interface))
        if left or len(set(after.values())) != 1:
            raise LabError(f"upgrade {self.host.name} to {self.build}: the programs on its interfaces were {before}, "
                           f"now they are {after}")

    def _running_build(self):
        """Another process may have started it."""
        pid = self.process.pid()
        return os.readlink(f"/proc/{pid}/exe").split("/")[-1] if pid else self.build

    def programs(self):
        """{interface: tag of the program there}"""
        return {interface["name"]: interface["program"] for interface in self.query("status")["interfaces"]}

    def daemon_answers(self):
        done = self.cli("status", "--json", check=False)
        return done.returncode == 0 and json.loads(done.stdout)["daemon"]["running"]

    def cli_argv(self, *words):
        return self._namespace.argv(binary("phalanx"), *words, *self._where())

    def cli(self, *words, stdin=None, check=True):
        """Runs `phalanx WORDS` on this node; returns subprocess.CompletedProcess."""
        return self._namespace.run(binary("phalanx"), *words, *self._where(), stdin=stdin, check=check)

    def query(self, *words):
        """What `phalanx WORDS --json` says."""
        return json.loads(self.cli(*words, "--json").stdout)

    def digest(self, service):
        return self.query("slots", service)["digest"]

    def backend_states(self):
        """{(service, backend name): state}"""
        return {(b["service"], b["name"]): b["state"] for b in self.query("backends")}

    def forget(self):
        """Ends the daemon and takes the program off the interface. Nothing to do if nothing is there."""
        self.process.end()
        if self.pin_dir.exists():
            self.cli("down")

    def _where(self):
        return ("--pin-dir", self.pin_dir, "--socket", self.socket)

    def _last_words(self):
        return " ".join(self._log.read_text(errors="replace").strip().splitlines()[-3:]) or "none"

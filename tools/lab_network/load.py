# SPDX-License-Identifier: Apache-2.0
"""Runs phalanx-load in the client's namespace and reads what it measured."""

import json
import signal
import subprocess
import threading
import time

from lab_network.binaries import binary
from lab_network.errors import LabError


def target(address, port=80):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class Load:
    """Load in the background. Times are CLOCK_MONOTONIC in ns, as time.monotonic_ns() has them."""

    def __init__(self, namespace, targets, connections=200, interval_ms=20, timeout_ms=3000, fresh=False, requests=0):
        """fresh: a new connection for each request. requests: the client ends a connection after about so many."""
        self.connections = connections
        self.summary = None
        self.failures = []
        self.slow = []
        self.breaks = []
        self.progress = []
        self.phases = []
        self._backends = {}  # connection -> backend that serves it now
        self._lock = threading.Lock()
        argv = [binary("phalanx-load"), "--connections", connections, "--interval-ms", interval_ms,
                "--timeout-ms", timeout_ms]
        if requests:
            argv += ["--requests", requests]
        if fresh:
            argv.append("--fresh")
        # Connections that the client ends now and then are never all there at once.
        self._steady = 0 if fresh else connections // 2 if requests else connections
        for t in targets:
            argv += ["--target", t]
        self._process = subprocess.Popen(namespace.argv(*argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True, start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._process.stderr.close()

    def _read(self):
        for line in self._process.stdout:
            record = json.loads(line)
            with self._lock:
                self._take(record)

    def _take(self, record):
        kind = record["type"]
        if kind == "established":
            self._backends[record["connection"]] = record["backend"]
        elif kind == "ended":
            self._backends.pop(record["connection"], None)
        elif kind == "broken":
            self._backends.pop(record["connection"], None)
            self.breaks.append(record)
        elif kind in ("failure", "slow", "progress", "phase"):
            {"failure": self.failures, "slow": self.slow, "progress": self.progress,
             "phase": self.phases}[kind].append(record)
        elif kind == "summary":
            self.summary = record

    def backends(self):
        """{connection: backend} of the connections that are served at this moment."""
        with self._lock:
            return dict(self._backends)

    def seconds(self):
        """The progress records so far, one a second."""
        with self._lock:
            return list(self.progress)

    def wait_steady(self, within=10):
        """Until every connection is served and a whole second passed without a failure."""
        deadline = time.monotonic() + within
        seen = len(self.seconds())
        while True:
            fresh = self.seconds()[seen:]
            if len(self.backends()) >= self._steady and any(p["failed"] == 0 for p in fresh):
                return
            if self._process.poll() is not None:
                raise LabError(f"run phalanx-load: it ended early: {self._process.stderr.read().strip()}")
            if time.monotonic() > deadline:
                raise LabError(f"wait for steady load: {len(self.backends())} of {self.connections} connections are "
                               f"served after {within} s; last second: {fresh[-1:]}")
            time.sleep(0.02)

    def end_phase(self, within=5):
        """What was felt since the last phase ended (or the beginning): its "phase" record."""
        seen = len(self.phases)
        self._process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + within
        while len(self.phases) == seen:
            if time.monotonic() > deadline:
                raise LabError(f"end a phase of phalanx-load: no answer within {within} s")
            time.sleep(0.005)
        return self.phases[-1]

    def stop(self):
        """Lets outstanding requests end, and returns the summary."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired as error:
            raise LabError("stop phalanx-load: it goes on 15 s after SIGTERM") from error
        self._reader.join()
        if self._process.returncode != 0 or self.summary is None:
            raise LabError(f"run phalanx-load: exit status {self._process.returncode}: "
                           f"{self._process.stderr.read().strip()}")
        return self.summary

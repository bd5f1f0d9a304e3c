# SPDX-License-Identifier: Apache-2.0
"""One trial: connections that carry data all the time, an event, and who lost a connection by it."""

import contextlib
import errno
import os
import random
import time

from lab_network.load import Load, target

CONNECTIONS = 500
INTERVAL_MS = 100
# A lost packet is sent again by TCP: a delay. What gets no answer for so long is lost for good.
TIMEOUT_MS = 10_000
# Late damage: a flow that went to the wrong backend is refused at its next request.
HOLD_S = 2
# New connections, each for one request.
NEWCOMERS = 40
NEWCOMER_TIMEOUT_MS = 4_000


class Trial:
    """fleet: whole and settled. number: seeds what is random, such as the moments of two faults in one second."""

    def __init__(self, fleet, event, number):
        self.fleet = fleet
        self.number = number
        self.random = random.Random(f"{event.key} {number}")
        self.load = None
        self._event = event
        self._newcomers = []
        self._excused = []  # (from, until), monotonic ns: when the excused backend killed its own connections

    def run(self):
        """{"broken": connections, "of": connections, "first": what the first ones felt, "stall_ms": of the client}"""
        self._event.prepare(self.fleet)
        with self._load(connections=CONNECTIONS, timeout_ms=TIMEOUT_MS, **self._event.load) as self.load:
            self.load.wait_steady(within=20)
            self._event.act(self)
            self.hold(HOLD_S)
            summary = self.load.stop()
        return self._verdict(summary)

    def hold(self, seconds):
        """The load goes on for so long."""
        time.sleep(seconds)

    @contextlib.contextmanager
    def newcomers(self):
        """Clients that connect anew for each request: a connection that is refused or lost counts as broken."""
        with self._load(connections=NEWCOMERS, timeout_ms=NEWCOMER_TIMEOUT_MS, fresh=True) as load:
            load.wait_steady()
            yield
            load.stop()
        self._newcomers += load.failures

    def excuse(self, kill):
        """kill: ends the process of the excused backend; connections that it had then end with it."""
        begin = time.monotonic_ns()
        kill()
        self._excused.append((begin, time.monotonic_ns()))

    def _load(self, **more):
        return Load(self.fleet.client, [target(vip) for vip in self.fleet.vips], interval_ms=INTERVAL_MS, **more)

    def _verdict(self, summary):
        kept = [r for r in self.load.breaks if not self._is_excused(r)]
        # Who lost its connection asks anew: what counts then is that it can.
        kept += [r for r in self.load.failures if not r.get("backend") and not self._died_with_it(r)]
        refused = [r for r in self._newcomers if not self._died_with_it(r)]
        broken = list({r["connection"]: r for r in kept}.values()) + refused
        return {"broken": len(broken), "of": CONNECTIONS, "first": broken[:3],
                "stall_ms": round(summary["longest_client_stall_ms"])}

    def _is_excused(self, record):
        return bool(self._excused) and record.get("backend") == self._event.excused

    def _died_with_it(self, record):
        """Accepted by the dying process, not answered yet: one of its own. (A SYN alone would have been refused.)"""
        accepted = record["stage"] == "answer" or record["reason"] == os.strerror(errno.ECONNRESET)
        return accepted and any(begin - int(1e9) <= record["begin_ns"] <= until for begin, until in self._excused)

# SPDX-License-Identifier: Apache-2.0
"""The demo's acts, what clients felt in each, and whether the promises held."""

import time
from dataclasses import dataclass

from demonstration.screen import say, second_line, table
from lab_network import Lab
from lab_network.load import Load, target
from lab_network.services import DETECTION_S, VIP4, VIP6
from lab_network.topology import CLIENT

CONNECTIONS = 200
INTERVAL_MS = 40
TIMEOUT_S = 3
# After detection: the store, and the timer's grain.
MARGIN_S = 0.05


@dataclass
class Act:
    title: str
    begin_ns: int
    failures: list
    breaks: list
    felt: dict  # the phase record


class Stage:
    def __init__(self, lab: Lab, load: Load):
        self._lab = lab
        self._load = load
        self._acts = []
        self._seconds_shown = 0

    def act(self, title, seconds, do=lambda: None):
        """Does something, watches the load for that many seconds, and writes down what was felt."""
        say(title)
        failures, breaks = len(self._load.failures), len(self._load.breaks)
        begin_ns = time.monotonic_ns()
        do()
        self._watch(seconds)
        felt = self._load.end_phase()
        self._acts.append(Act(title, begin_ns, self._load.failures[failures:], self._load.breaks[breaks:], felt))
        return self._acts[-1]

    def _watch(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._show_new_seconds()
            time.sleep(0.05)
        self._show_new_seconds()

    def _show_new_seconds(self):
        for progress in self._load.seconds()[self._seconds_shown:]:
            say(second_line(progress))
            self._seconds_shown += 1

    def closing_table(self):
        return table([(act.title, act.felt["succeeded"] + act.felt["failed"], act.felt["failed"],
                       act.felt["breaks"], act.felt["longest_gap_ms"]) for act in self._acts])


def _fault_complaints(act, dead):
    """Why the promise about a dead backend did not hold; empty if it held."""
    deadline_ns = act.begin_ns + int((DETECTION_S + MARGIN_S) * 1e9)
    late = [f for f in act.failures if f["begin_ns"] > deadline_ns]
    long = [f for f in act.failures if f["end_ns"] - f["begin_ns"] > (TIMEOUT_S + 0.1) * 1e9]
    foreign = [b for b in act.breaks if b["backend"] != dead]
    complaints = []
    if late:
        complaints.append(f"{len(late)} requests failed that began over {(DETECTION_S + MARGIN_S) * 1000:.0f} ms "
                          "after the fault")
    if long:
        complaints.append(f"{len(long)} requests took longer than {TIMEOUT_S} s to fail")
    if foreign:
        complaints.append(f"{len(foreign)} connections broke that were not {dead}'s")
    return [f"{act.title}: {complaint}" for complaint in complaints]


def _quiet_complaints(act):
    if act.felt["failed"] or act.felt["breaks"]:
        return [f"{act.title}: {act.felt['failed']} requests failed and {act.felt['breaks']} connections broke, "
                "where none should"]
    return []


def _revive_backends(lab):
    for name in ("b1", "b3"):
        lab.revive(name)
    lab.wait_all_up()


def demonstrate(lab):
    """Plays all acts on a running lab, prints the table; True if every promise held."""
    client = lab.namespaces[CLIENT.name]
    say(f"load: {CONNECTIONS} HTTP connections (IPv4 and IPv6), each asks every {INTERVAL_MS} ms")
    with Load(client, [target(VIP4), target(VIP6)], CONNECTIONS, INTERVAL_MS, TIMEOUT_S * 1000) as load:
        load.wait_steady()
        load.end_phase()
        stage = Stage(lab, load)
        complaints = _quiet_complaints(stage.act("all is well", 3))
        complaints += _fault_complaints(stage.act("b1: its web server is killed", 4, lambda: lab.kill("b1")), "b1")
        complaints += _fault_complaints(stage.act("b3: its cable is pulled", 5, lambda: lab.cut("b3", "link")), "b3")
        complaints += _quiet_complaints(stage.act("lb1: its daemon is killed (kill -9)", 3, lambda: lab.kill("lb1")))
        complaints += _quiet_complaints(stage.act("lb1: its daemon is back", 3, lambda: lab.revive("lb1")))
        complaints += _quiet_complaints(stage.act("b1 and b3 are back", 4, lambda: _revive_backends(lab)))
        complaints += _quiet_complaints(stage.act("all is well again", 3))
        summary = load.stop()
    print(f"\n{stage.closing_table()}\n")
    print("failed: requests without an answer, those on the dead backend when it died.\n"
          "broken: connections that ended under their client, those of the dead backend.")
    print(f"In all {summary['requests']:,} requests, {summary['failed']:,} failed; never longer than "
          f"{summary['longest_gap_overall_ms']:.0f} ms\nwithout an answer to somebody.\n")
    for complaint in complaints:
        print(f"NOT HELD  {complaint}")
    if not complaints:
        print("Held: nobody but the dead backends' clients noticed, and they within "
              f"{(DETECTION_S + MARGIN_S) * 1000:.0f} ms;\nthe daemon's death, its return and the backends' return cost nothing.")
    return not complaints

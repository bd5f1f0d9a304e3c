# SPDX-License-Identifier: Apache-2.0
"""How many connections break by which event: 500 that carry data all the time, two nodes behind a router with BFD.

A trial that was run is never run again: --results remembers it, and a run that was stopped goes on.
"""

import argparse
import json
import signal
import sys
import time
from pathlib import Path

from lab_network import LabError
from lab_network.binaries import BUILD

from benchmarks.connections.events import EVENTS
from benchmarks.connections.fleet import PhalanxFleet
from benchmarks.connections.haproxy import HaproxyFleet
from benchmarks.connections.results import Results
from benchmarks.connections.trial import Trial

KINDS = {
    "agent": lambda prefix: PhalanxFleet(prefix, agents=True),
    "flowtable": lambda prefix: PhalanxFleet(prefix, agents=False),
    "haproxy": HaproxyFleet,
}
PREFIX = "phxb-"


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench connections", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="trials of each event with the agent (20)")
    parser.add_argument("--reference-runs", type=int, default=5, metavar="N", help="the same without, and HAProxy (5)")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"some of {', '.join(KINDS)} (all)")
    parser.add_argument("--events", default=",".join(EVENTS), help=f"some of {', '.join(EVENTS)} (all)")
    parser.add_argument("--results", default=str(BUILD / "connections.jsonl"), metavar="FILE",
                        help="where trials are remembered (build/connections.jsonl); remove it to begin anew")
    parser.add_argument("--json", metavar="FILE", help="the figures for machines")
    parser.add_argument("--prefix", default=PREFIX, help=f"of the lab's namespaces ({PREFIX})")
    chosen = parser.parse_args()
    chosen.kinds, chosen.events = chosen.kinds.split(","), chosen.events.split(",")
    for what, known in (("kinds", KINDS), ("events", EVENTS)):
        for name in getattr(chosen, what):
            if name not in known:
                parser.error(f"--{what}: there is no {name!r}; there are {', '.join(known)}")
    return chosen


def missing(results, kind, runs, events):
    """What is still to be run, all events once before any for the second time."""
    return [(number, key) for number in range(runs) for key in events if not results.has(kind, key, number)]


def measure(kind, runs, chosen, results):
    todo = missing(results, kind, runs, chosen.events)
    while todo:
        try:
            with KINDS[kind](chosen.prefix) as fleet:
                while todo:
                    number, key = todo[0]
                    run_one(fleet, kind, key, number, results)
                    todo.pop(0)
                    fleet.reset()
        except LabError as error:
            # The fleet is in a state that nobody knows: the next trial gets a new one.
            if not todo:
                return
            number, key = todo.pop(0)
            print(f"{kind:10} {key:18} run {number:2}: not measured: {error}", file=sys.stderr, flush=True)


def run_one(fleet, kind, key, number, results):
    begin = time.monotonic()
    verdict = Trial(fleet, EVENTS[key], number).run()
    results.add(kind, key, number, verdict)
    print(f"{kind:10} {key:18} run {number:2}: {verdict['broken']:3} of {verdict['of']} broken"
          f" ({time.monotonic() - begin:.0f} s, client stall {verdict['stall_ms']} ms)", file=sys.stderr, flush=True)


def cell(outcome):
    if outcome is None:
        return "-"
    if outcome["worst"] == 0:
        return f"0 in {outcome['runs']} runs"
    return f"{outcome['median']}, at worst {outcome['worst']}, in {outcome['runs']} runs"


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = arguments()
    results = Results(chosen.results)
    for kind in chosen.kinds:
        measure(kind, chosen.runs if kind == "agent" else chosen.reference_runs, chosen, results)
    print(f"{'broken connections of 500':20}" + "".join(f" | {kind:32}" for kind in KINDS))
    figures = {}
    for key in EVENTS:
        outcomes = {kind: results.broken(kind, key) for kind in KINDS}
        print(f"{key:25}" + "".join(f" | {cell(outcomes[kind]):32}" for kind in KINDS))
        for kind, outcome in outcomes.items():
            if outcome:
                figures[f"broken.{kind}.{key}"] = {"value": outcome["total"], "unit": "connections"} | outcome
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(figures, indent=2) + "\n")
    unmeasured = any(missing(results, kind, chosen.runs if kind == "agent" else chosen.reference_runs, chosen.events)
                     for kind in chosen.kinds)
    return 1 if unmeasured else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""The trials that were run, one JSON object a line, so that a run that was stopped goes on where it was."""

import json
from pathlib import Path


class Results:
    def __init__(self, path):
        self.path = Path(path)
        self._trials = {}  # (kind, event) -> {number: trial}
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                self._take(json.loads(line))

    def has(self, kind, event, number):
        return number in self._trials.get((kind, event), {})

    def add(self, kind, event, number, verdict):
        record = {"kind": kind, "event": event, "run": number} | verdict
        self._take(record)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def broken(self, kind, event):
        """{"total", "worst" run, "median" run, "runs", "of" connections a run}; None before the first run."""
        trials = self._trials.get((kind, event))
        if not trials:
            return None
        counts = sorted(trial["broken"] for trial in trials.values())
        return {"total": sum(counts), "worst": counts[-1], "median": counts[len(counts) // 2], "runs": len(counts),
                "of": next(iter(trials.values()))["of"]}

    def _take(self, record):
        self._trials.setdefault((record["kind"], record["event"]), {})[record["run"]] = record

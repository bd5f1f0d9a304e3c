# SPDX-License-Identifier: Apache-2.0
"""A suite that is a folder of pytest files."""

import sys
import xml.etree.ElementTree as ElementTree

from suites.child import run
from suites.outcome import RESULTS, ROOT, Case, compared

LIMIT_S = 1500


def run_pytest(folder, launcher=()):
    """folder: of tests/. launcher: words before pytest's own, to run it elsewhere; RESULTS must be writable there."""
    pytest = ["/usr/bin/python3", "-B", "-m", "pytest", "--rootdir", ROOT, f"tests/{folder}"]
    listing = run([*pytest, "--collect-only", "-q"], 120, ROOT)
    listed = [line for line in listing.output.splitlines() if "::" in line and not line.startswith("ERROR")]
    if listing.status != 0 or not listed:
        return [Case(folder, f"pytest collects no tests:\n{listing.tail()}")]
    report = RESULTS / f"{folder}.xml"
    report.unlink(missing_ok=True)
    done = run([*launcher, *pytest, f"--junitxml={report}", "--tb=short", "-v"], LIMIT_S, ROOT,
               report.with_suffix(".log"))
    if not report.exists():
        ended = f"not done after {LIMIT_S} s" if done.status is None else f"exit status {done.status}"
        print(f"pytest wrote no report ({ended}):\n{done.tail(60)}", file=sys.stderr)
    return compared(listed, _complaints(report) if report.exists() else {})


def _complaints(report):
    complaints = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("classname").replace(".", "/") + ".py::" + case.get("name")
        found = [f"{child.tag}: {child.get('message', '')}\n{child.text or ''}" for child in case
                 if child.tag in ("failure", "error", "skipped")]
        complaints[name] = "\n".join([text for text in [complaints.get(name, ""), *found] if text])
    return complaints

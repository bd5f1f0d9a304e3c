# SPDX-License-Identifier: Apache-2.0
"""A suite that is one GoogleTest program of build/bin."""

import json

from suites.child import run
from suites.outcome import BUILD, RESULTS, ROOT, Case, compared

LIMIT_S = 1500


def run_gtest(program, launcher=(), report=None, but=""):
    """program: of build/bin. launcher: words before its own, to run it elsewhere; RESULTS must be writable there.
    report: of that name are its report and log (program). but: cases that are left out, as gtest's filters have them."""
    binary = BUILD / "bin" / program
    if not binary.exists():
        return [Case(program, f"{binary} is not built")]
    chosen = [f"--gtest_filter=*-{but}"] if but else []
    listing = run([binary, "--gtest_list_tests", *chosen], 60, ROOT)
    listed = _listed(listing.output) if listing.status == 0 else []
    if not listed:
        return [Case(program, f"{binary} lists no tests: {listing.tail()}")]
    report = RESULTS / f"{report or program}.json"
    report.unlink(missing_ok=True)
    done = run([*launcher, binary, f"--gtest_output=json:{report}", *chosen], LIMIT_S, ROOT, report.with_suffix(".log"))
    complaints = _complaints(json.loads(report.read_text())) if report.exists() else {}
    cases = compared(listed, complaints)
    if done.status != 0 and all(case.passed for case in cases) or not report.exists():
        ended = f"not done after {LIMIT_S} s" if done.status is None else f"exit status {done.status}"
        cases.append(Case(program, f"{ended}; its last lines:\n{done.tail()}"))
    return cases


def _listed(output):
    names, suite = [], ""
    for line in output.splitlines():
        word = line.split("#")[0].rstrip()
        if word.startswith("  "):
            names.append(suite + word.strip())
        elif word.endswith("."):
            suite = word
    return names


def _complaints(report):
    complaints = {}
    for suite in report["testsuites"]:
        for test in suite["testsuite"]:
            failures = "\n".join(failure["failure"] for failure in test.get("failures", ()))
            if not failures and (test["status"] != "RUN" or test["result"] != "COMPLETED"):
                failures = f"not run: {test['status'].lower()}, {test['result'].lower()}"
            complaints[f"{suite['name']}.{test['name']}"] = failures
    return complaints

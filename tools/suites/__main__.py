# SPDX-License-Identifier: Apache-2.0
"""The command line of tools/test, after the build."""

import argparse
import concurrent.futures
import os
import signal
import sys
import time

from suites.child import end_all
from suites.fuzz import run_fuzz
from suites.gtest import run_gtest
from suites.kernel import run_kernel, run_vm
from suites.leftovers import present, run_leftovers
from suites.outcome import RESULTS
from suites.pytest import run_pytest
from suites.style import run_style

SUITES = {"unit": lambda: run_gtest("unit_tests"), "sim": lambda: run_gtest("sim_tests"), "kernel": run_kernel,
          "vm": run_vm, "fuzz": run_fuzz, "lab": lambda: run_pytest("lab"), "style": run_style}
PRIVILEGED = ("kernel", "vm", "fuzz", "lab")


def _report(name, run):
    """Runs a suite and prints what it found; returns (passed, failed)."""
    print(f"== {name}", flush=True)
    started = time.monotonic()
    cases = run()
    failed = [case for case in cases if not case.passed]
    for case in failed:
        print(f"FAILED {case.name}\n" + "".join(f"    {line}\n" for line in case.complaint.splitlines()), end="")
    print(f"-- {name}: {len(cases) - len(failed)} passed, {len(failed)} failed, {time.monotonic() - started:.0f} s",
          flush=True)
    return len(cases) - len(failed), len(failed)


def _terminated(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(prog="tools/test", description="Runs the tests; a case that did not run counts "
                                     f"as failed. Logs: {RESULTS}")
    parser.add_argument("suite", nargs="*", choices=[[], *SUITES], help="which; none: all")
    chosen = parser.parse_args().suite or list(SUITES)
    if os.geteuid() != 0 and any(name in PRIVILEGED for name in chosen):
        print("tools/test: the kernel, vm, fuzz and lab suites need root for XDP and network namespaces; run sudo tools/test, "
              "or tools/test unit style", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _terminated)
    RESULTS.mkdir(parents=True, exist_ok=True)
    before = present()
    # Most suites leave a processor idle, which is enough for clang-tidy: it takes what nobody else wants, and reports last.
    background = concurrent.futures.ThreadPoolExecutor(1)
    try:
        if "style" in chosen:
            chosen = [name for name in chosen if name != "style"] + ["style"]
            style = background.submit(run_style)
        counts = [_report(name, SUITES[name] if name != "style" else style.result) for name in chosen]
        counts.append(_report("leftovers", lambda: run_leftovers(before)))
    except KeyboardInterrupt:
        print("tools/test: interrupted", file=sys.stderr)
        end_all()
        return 130
    finally:
        background.shutdown(wait=False, cancel_futures=True)
    passed, failed = (sum(column) for column in zip(*counts))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())

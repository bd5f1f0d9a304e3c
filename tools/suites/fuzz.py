# SPDX-License-Identifier: Apache-2.0
"""The packet path compiled natively: under sanitizers, and against the programs in the kernel."""

import re
import secrets

from suites.child import run
from suites.outcome import BUILD, RESULTS, ROOT, Case

FRAMES = 1_000_000
FUZZED = 300_000
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
LEAST_LINES = 95.0  # percent of bpf/lib
LIMIT_S = 600


def run_fuzz():
    return [_compared(), _fuzzed(), _covered()]


def _compared():
    seed = secrets.randbelow(1 << 32)
    name = f"{FRAMES} frames have the same outcome natively and in the kernel (seed {seed})"
    return _case(name, [BUILD / "bin" / "compare_programs", FRAMES, seed], "compare.log")


def _fuzzed():
    scratch = RESULTS / "fuzz"
    scratch.mkdir(parents=True, exist_ok=True)
    seed = secrets.randbelow(1 << 31) + 1
    return _case(f"{FUZZED} inputs and the kept corpus give the sanitizers nothing to say (seed {seed})",
                 [BUILD / "bin" / "fuzz_programs", f"-runs={FUZZED}", f"-seed={seed}", "-max_len=2048",
                  f"-artifact_prefix={scratch}/", scratch, CORPUS], "fuzz.log")


def _covered():
    name = f"the kept corpus reaches {LEAST_LINES:.0f} % of the lines of bpf/lib"
    done = run([ROOT / "tools" / "fuzz", "--coverage"], LIMIT_S, ROOT, RESULTS / "fuzz-coverage.log")
    total = re.search(r"^TOTAL.*?([\d.]+)%\s*$", done.output, re.MULTILINE)
    if done.status != 0 or not total:
        return Case(name, done.tail())
    return Case(name, "" if float(total[1]) >= LEAST_LINES else f"{total[1]} %\n{done.tail(40)}")


def _case(name, argv, log):
    done = run(argv, LIMIT_S, ROOT, RESULTS / log)
    return Case(name, "" if done.status == 0 else done.tail())

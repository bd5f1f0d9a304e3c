# SPDX-License-Identifier: Apache-2.0
"""How many instructions the verifier looks at: each program, by each clang, on each kernel, under every combination of
the settings that are fixed when it is loaded."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BIN = ROOT / "build" / "bin"
COMPILERS = {"clang 14": BIN / "kernel_tests", "clang 19": BIN / "kernel_tests_clang_19"}
MARK = "verified_instructions "  # so begin the lines of tests/kernel/verified_instructions_test.cpp
LIMIT_S = 600


def instructions(launcher):
    """Returns (kernel's release, {(program, settings, compiler): instructions}), as the tests print them."""
    script = "uname -r && " + " && ".join(
        f"echo {compiler} && {program} --gtest_filter='VerifiedInstructions.*'" for compiler, program in COMPILERS.items())
    done = subprocess.run([*launcher, "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=LIMIT_S, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench verified: the tests of VerifiedInstructions failed:\n{done.stdout}{done.stderr}")
    release, *lines = done.stdout.splitlines()
    found, compiler = {}, None
    for line in lines:
        if line in COMPILERS:
            compiler = line
        elif line.startswith(MARK):
            program, count, settings = line.removeprefix(MARK).split(" ", 2)
            found[program, settings, compiler] = int(count)
    return release, found


def print_table(tables):
    """tables: {kernel's release: {(program, settings, compiler): instructions}}"""
    columns = [(release, compiler) for release in tables for compiler in COMPILERS]
    rows = dict.fromkeys((program, settings) for table in tables.values() for program, settings, _ in table)
    width = max(len(settings) for _, settings in rows)
    wide = max(len(release) for release in tables) + 2
    print(f"{'program':18}  {'settings':{width}}" + "".join(f"{release:>{wide}}" for release, _ in columns))
    print(" " * (20 + width) + "".join(f"{compiler:>{wide}}" for _, compiler in columns))
    for program, settings in rows:
        print(f"{program:18}  {settings:{width}}" + "".join(
            f"{tables[release].get((program, settings, compiler), '-'):>{wide}}" for release, compiler in columns))


def figures(tables):
    return {f"verified.{program}.{release}.{compiler}.{settings}".replace(" ", "_"):
            {"value": count, "unit": "instructions", "low": count, "high": count}
            for release, table in tables.items() for (program, settings, compiler), count in table.items()}


def main():
    arguments = argparse.ArgumentParser(prog="tools/bench verified", description=__doc__)
    arguments.add_argument("--json", metavar="FILE")
    arguments.add_argument("--kernel", metavar="VERSION", action="append", default=[],
                           help="as tools/vm takes it, beside this host's kernel and Linux 6.1; may be repeated")
    chosen = arguments.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("bench verified: root is needed to load programs; run sudo tools/bench verified")
    vm = [ROOT / "tools" / "vm", "run"]
    launchers = [(), vm, *([*vm, "--kernel", version] for version in chosen.kernel)]
    tables = dict(instructions(launcher) for launcher in launchers)
    print_table(tables)
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(figures(tables), indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())

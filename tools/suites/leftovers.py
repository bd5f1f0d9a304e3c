# SPDX-License-Identifier: Apache-2.0
"""What tests must not leave behind: namespaces, pins, XDP programs, mounts, processes."""

import json
import os
import time
from pathlib import Path

from suites.child import run
from suites.outcome import BUILD, ROOT, Case

PATIENCE_S = 5
_OURS = ("/run/phalanx-lab/", "/phalanx-vm.")  # in the words of our processes: a lab's, a virtual machine's


def _processes():
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            executable = os.readlink(directory / "exe")
            words = (directory / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue  # it ended, or is a kernel thread
        if executable.startswith(str(BUILD / "bin")) or any(path in words for path in _OURS):
            found.add(f"process {directory.name} {words.replace(chr(0), ' ').strip()[:100]}")
    return found


def _xdp_programs():
    done = run(["bpftool", "--json", "prog", "show"], 20, ROOT)
    programs = json.loads(done.output) if done.status == 0 else []
    return {f"BPF program {p['id']} {p.get('name', '')}" for p in programs if p.get("type") == "xdp"}


def _mounts():
    words = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return {f"mount {fields[1]}" for fields in words if "phalanx" in fields[1]}


def _names(directory, label):
    path = Path(directory)
    return {f"{label} {entry}" for entry in path.iterdir()} if path.is_dir() else set()


def present():
    """Everything of the kinds above that is on this host now."""
    return (_processes() | _xdp_programs() | _mounts() | _names("/run/netns", "namespace")
            | _names("/sys/fs/bpf", "pin") | _names("/run/phalanx-lab", "lab"))


def run_leftovers(before):
    """before: what present() said when nothing had run yet."""
    deadline = time.monotonic() + PATIENCE_S  # the kernel frees programs a moment after their last user
    while (left := present() - before) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [Case("nothing is left behind", "\n".join(sorted(left)))]

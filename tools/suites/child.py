# SPDX-License-Identifier: Apache-2.0
"""Running a suite's program with a time limit, in a process group that ends as a whole."""

import os
import signal
import subprocess
import threading
from dataclasses import dataclass


_running = set()
_ended = threading.Event()


@dataclass(frozen=True)
class Finished:
    status: int | None  # None: it took too long and was ended
    output: str  # both streams

    def tail(self, lines=25):
        return "\n".join(self.output.strip().splitlines()[-lines:])


def run(argv, timeout, cwd, log=None):
    """Runs argv to its end or the limit (seconds). log: a path that gets the output too."""
    if _ended.is_set():
        return Finished(None, "")
    child = subprocess.Popen([str(word) for word in argv], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
    _running.add(child)
    status = None
    try:
        output, _ = child.communicate(timeout=timeout)
        status = child.returncode
    except subprocess.TimeoutExpired:
        output = _end(child)
    except BaseException:
        _end(child)
        raise
    finally:
        _running.discard(child)
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(output)
    return Finished(status, output)


def end_all():
    """Ends what other threads still run, and lets them begin nothing more, so that they can return."""
    _ended.set()
    for child in list(_running):
        try:
            os.killpg(child.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass


def _end(child):
    """Asks the group to end, so that it cleans up; then insists. Returns its output."""
    for number, patience in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            pass
        try:
            return child.communicate(timeout=patience)[0]
        except subprocess.TimeoutExpired:
            continue
    return ""

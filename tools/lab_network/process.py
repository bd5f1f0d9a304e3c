# SPDX-License-Identifier: Apache-2.0
"""A process of the lab that outlives the command which started it.

Known by pid and start time, kept in a file: a reused pid is never signalled.
"""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from lab_network.errors import LabError
from lab_network.interruption import held

_children = {}  # pid -> Popen, of this interpreter: they must be reaped


def _start_time(pid):
    """The kernel's start time of a live process; None if there is none (a zombie counts as none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


class Process:
    def __init__(self, name, directory):
        """name: for people. directory: where the record lies, shared by all processes of a lab."""
        self.name = name
        self._record = Path(directory) / f"{name}.json"

    def start(self, argv, log):
        """Starts argv in a session of its own, with output appended to `log`."""
        if self.pid() is not None:
            raise LabError(f"start {self.name}: it runs already as process {self.pid()}")
        with open(log, "ab") as output, held():
            try:
                child = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=output,
                                         stderr=subprocess.STDOUT, start_new_session=True)
            except FileNotFoundError as error:
                raise LabError(f"start {self.name}: {argv[0]} is not there; tools/setup builds it") from error
            _children[child.pid] = child
            self._record.write_text(json.dumps({"pid": child.pid, "start": _start_time(child.pid)}))

    def pid(self):
        """Its pid while it runs, else None."""
        try:
            record = json.loads(self._record.read_text())
        except FileNotFoundError:
            return None
        child = _children.get(record["pid"])
        if child is not None and child.poll() is not None:
            del _children[record["pid"]]
            return None
        return record["pid"] if _start_time(record["pid"]) == record["start"] is not None else None

    def signal(self, number):
        pid = self.pid()
        if pid is None:
            raise LabError(f"signal {self.name}: it does not run")
        os.kill(pid, number)

    def wait_gone(self, within):
        deadline = time.monotonic() + within
        while self.pid() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def kill(self):
        """SIGKILL, and waits until it is gone."""
        self.signal(signal.SIGKILL)
        if not self.wait_gone(5):
            raise LabError(f"kill {self.name}: process {self.pid()} is still there 5 s after SIGKILL")

    def end(self, within=5):
        """Asks it to end, kills it if it does not. Nothing to do if it does not run."""
        try:
            if self.pid() is not None:
                self.signal(signal.SIGTERM)
                if not self.wait_gone(within):
                    self.kill()
        except ProcessLookupError:
            pass  # it ended by itself just now
        self._record.unlink(missing_ok=True)

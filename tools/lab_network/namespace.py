# SPDX-License-Identifier: Apache-2.0
"""A network namespace made by `ip netns`, and ways to do things inside it.

Entered by `nsenter --net`, never by `ip netns exec`: that one hides mounts below /sys, and with them bpffs.
"""

import contextlib
import ctypes
import os

from lab_network.command_run import DEFAULT_TIMEOUT_S, run
from lab_network.errors import LabError

CLONE_NEWNET = 0x40000000
NETNS_DIR = "/run/netns"

_libc = ctypes.CDLL(None, use_errno=True)


def _set_namespace(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise LabError(f"enter a network namespace: {os.strerror(ctypes.get_errno())}; this needs root")


class Namespace:
    def __init__(self, name):
        self.name = name
        self.path = f"{NETNS_DIR}/{name}"

    def exists(self):
        return os.path.exists(self.path)

    def argv(self, *command):
        """The command line that runs `command` inside."""
        return ["nsenter", f"--net={self.path}", *(str(word) for word in command)]

    def run(self, *command, stdin=None, check=True, timeout=DEFAULT_TIMEOUT_S):
        return run(self.argv(*command), stdin=stdin, check=check, timeout=timeout)

    def ip(self, lines, family=None):
        """Runs `ip` commands, one a line, stopping at the first that fails. family: 4 or 6, where no address says it."""
        only = [f"-{family}"] if family else []
        return run(["ip", *only, "-n", self.name, "-batch", "-"], stdin="\n".join(lines) + "\n")

    def sysctl(self, settings):
        self.run("sysctl", "-q", "-w", *(f"{key}={value}" for key, value in settings.items()))

    def pids(self):
        return [int(word) for word in run(["ip", "netns", "pids", self.name], check=False).stdout.split()]

    @contextlib.contextmanager
    def entered(self):
        """Moves the calling thread inside: a socket made there stays there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            inside = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                _set_namespace(inside)
            finally:
                os.close(inside)
            try:
                yield
            finally:
                _set_namespace(home)
        finally:
            os.close(home)

# SPDX-License-Identifier: Apache-2.0
"""Running a program to its end, with a time limit and an error that says what happened."""

import subprocess

from lab_network.errors import LabError
from lab_network.interruption import held

DEFAULT_TIMEOUT_S = 20


def run(argv, *, stdin=None, check=True, timeout=DEFAULT_TIMEOUT_S):
    """Runs argv, returns subprocess.CompletedProcess with text output. LabError if it fails or takes too long."""
    argv = [str(word) for word in argv]
    try:
        # In a session of its own: a terminal's Ctrl-C is for us, who must know how far the program came.
        with held():
            done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False,
                                  start_new_session=True)
    except FileNotFoundError as error:
        raise LabError(f"run {argv[0]}: it is not there; tools/setup installs and builds what the lab needs") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"run {' '.join(argv)}: not done after {timeout} s") from error
    if check and done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing")
        raise LabError(f"run {' '.join(argv)}: exit status {done.returncode}: {said}")
    return done

# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C at a good moment."""

import contextlib
import os
import signal
import threading

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def held():
    """Signals that end the program wait until the block is left.

    For what must not be torn apart: a process that is started and the note of it, a folder that is made and the note
    of it. An exception in between would leave behind something that nobody knows of. Elsewhere than in the main
    thread, where Python delivers no signals, nothing is to be held.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived = []
    former = {number: signal.signal(number, lambda *event: arrived.append(event)) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        for number, frame in arrived[:1]:
            if callable(former[number]):
                former[number](number, frame)
            elif former[number] == signal.SIG_DFL:
                os.kill(os.getpid(), number)

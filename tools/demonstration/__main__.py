# SPDX-License-Identifier: Apache-2.0
"""The command line of tools/demo."""

import argparse
import signal
import sys

from demonstration.screen import say
from demonstration.script import demonstrate
from lab_network import Lab, LabError
from lab_network.lab import DEFAULT_PREFIX

_NEXT = """
The lab is still there. Try next:
  sudo tools/lab status                           its parts
  sudo tools/lab exec client curl -s 203.0.113.10 which backend answers
  sudo tools/lab phalanx lb1 backends             what a node knows
  sudo tools/lab phalanx lb1 slots web            its table
  sudo tools/lab cut b2 --how drop                packets of b2 vanish
  sudo tools/lab revive b2
  sudo tools/lab stop                             remove everything
"""


def _interrupted(number, _frame):
    raise KeyboardInterrupt(signal.Signals(number).name)


def main():
    parser = argparse.ArgumentParser(prog="tools/demo", description="Two nodes, four backends, 200 HTTP connections: "
                                     "a web server, a whole backend and a daemon die and come back.")
    parser.add_argument("--keep", action="store_true", help="leave the lab running, with commands to try next")
    parser.add_argument("--prefix", default=DEFAULT_PREFIX, help=f"of the lab's namespaces ({DEFAULT_PREFIX})")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    lab = Lab(options.prefix)
    held, kept, status = False, False, 1
    try:
        say("starting the lab")
        lab.start(say=lambda line: say("  " + line))
        held = demonstrate(lab)
        kept = options.keep
        status = 0 if held else 1
    except LabError as error:
        print(f"tools/demo: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        status = 130
        say("interrupted")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # nothing interrupts the cleaning up
        if lab.owned and not kept:
            if status == 1:
                lab.keep_logs("/tmp/phalanx-demo-logs")
                print("tools/demo: the parts' logs are in /tmp/phalanx-demo-logs", file=sys.stderr)
            lab.stop()
            say("removed the lab")
    if kept:
        print(_NEXT)
    return status


sys.exit(main())

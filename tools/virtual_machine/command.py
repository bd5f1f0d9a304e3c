# SPDX-License-Identifier: Apache-2.0
"""The command line of tools/vm."""

import argparse
import os
import signal
import sys
from pathlib import Path

from virtual_machine.errors import VmError
from virtual_machine.kernel_package import kernel
from virtual_machine.machine import DeadlineError, Size, run

_CACHE = Path(__file__).resolve().parents[2] / "build" / "vm"
_DEADLINE_STATUS = 124
_TROUBLE_STATUS = 125
_EXAMPLES = f"""\
The guest has this host's files, as they are (what it writes elsewhere than in --writable folders, it writes into memory
of its own), a bpffs, loopback and no other network. The exit status is the command's, or {_DEADLINE_STATUS} after the
deadline, {_TROUBLE_STATUS} if the machine itself did not work. Kernels come from this host's apt and stay in build/vm.

examples:
  tools/vm run uname -a
  tools/vm run build/bin/kernel_tests --gtest_filter='Balancer*'
  tools/vm run --kernel 6.1.0-50-amd64 --writable /tmp/out sh -c 'dmesg > /tmp/out/dmesg'
"""


def _parser():
    parser = argparse.ArgumentParser(prog="tools/vm", epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description="Another kernel over this host's files, in qemu, without KVM.")
    commands = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    words = commands.add_parser("run", help="boot, run a command as root, switch off", epilog=_EXAMPLES,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--kernel", metavar="VERSION", help="as in the package linux-image-VERSION (that on which Debian's "
                       "linux-image-amd64 depends)")
    words.add_argument("--deadline", metavar="SECONDS", type=float, default=600, help="from power-on (600)")
    words.add_argument("--cpus", metavar="N", type=int, default=2, help="(2)")
    words.add_argument("--memory", metavar="MIB", type=int, default=1024, help="(1024)")
    words.add_argument("--writable", metavar="DIR", action="append", default=[], type=_directory,
                       help="a folder in which what the guest writes stays; may be repeated")
    words.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD...")
    return parser


def _directory(text):
    path = Path(text).resolve()
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return path


def _terminated(number, _frame):
    raise KeyboardInterrupt(signal.Signals(number).name)


def main():
    parser = _parser()
    options = parser.parse_args()
    command = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not command:
        parser.error("run: a command is missing")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminated)
    try:
        return run(kernel(options.kernel, _CACHE), command, Size(options.cpus, options.memory), options.deadline,
                   options.writable, os.getcwd())
    except DeadlineError as error:
        print(f"tools/vm: {error}", file=sys.stderr)
        return _DEADLINE_STATUS
    except VmError as error:
        print(f"tools/vm: {error}", file=sys.stderr)
        return _TROUBLE_STATUS
    except KeyboardInterrupt:
        return 130

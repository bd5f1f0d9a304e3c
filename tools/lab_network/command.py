# SPDX-License-Identifier: Apache-2.0
"""The command line of tools/lab."""

import argparse
import os
import signal
import sys

from lab_network import topology
from lab_network.errors import LabError
from lab_network.lab import CUTS, DEFAULT_PREFIX, RUN_ROOT, Lab
from lab_network.services import SERVICES

_EXAMPLES = """\
examples:
  tools/lab start                               everything, with the service "web"
  tools/lab exec client curl -s 203.0.113.10    b1 .. b4 take turns
  tools/lab phalanx lb1 backends                the CLI on a node
  tools/lab cut b1 --how drop                   packets of b1 vanish silently
  tools/lab revive b1
  tools/lab stop
"""


def _parser():
    parser = argparse.ArgumentParser(prog="tools/lab", epilog=_EXAMPLES, description=topology.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefix", default=DEFAULT_PREFIX, help=f"of the namespaces' names ({DEFAULT_PREFIX})")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    start = commands.add_parser("start", help="make the lab and leave it running")
    start.add_argument("--service", action="append", choices=SERVICES, help="may be repeated (web)")
    start.add_argument("--bird", action="store_true", help="nodes announce the VIPs by BGP, instead of static routes")
    start.add_argument("--no-phalanx", action="store_true", help="no daemons and no agents")
    commands.add_parser("stop", help="remove everything")
    commands.add_parser("status", help="the parts and how they are")
    commands.add_parser("list", help="the labs that run on this host")
    execute = commands.add_parser("exec", help="run a command inside a part")
    execute.add_argument("part", choices=topology.PARTS)
    execute.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD...")
    cli = commands.add_parser("phalanx", help="run the phalanx CLI on a node")
    cli.add_argument("part", choices=[host.name for host in topology.NODES])
    cli.add_argument("words", nargs=argparse.REMAINDER, metavar="WORDS...")
    mortal = [host.name for host in topology.BACKENDS + topology.NODES]
    commands.add_parser("kill", help="kill -9 a backend's web server or a node's daemon").add_argument(
        "part", choices=mortal)
    cut = commands.add_parser("cut", help="break a backend")
    cut.add_argument("part", choices=[host.name for host in topology.BACKENDS])
    cut.add_argument("--how", choices=CUTS, default="link",
                     help="its server dies, its cable is pulled, or its packets vanish (link)")
    commands.add_parser("revive", help="mend a part").add_argument("part", choices=[*mortal, "all"])
    commands.add_parser("upgrade", help="swap a node's daemon and packet path for their other build, under traffic"
                        ).add_argument("part", choices=[host.name for host in topology.NODES])
    commands.add_parser("logs", help="print the logs of all parts")
    return parser


def _status(lab):
    print(f"lab {lab.prefix}  files in {lab.run_dir}")
    for host in topology.HOSTS:
        process = None if host.kind == "client" else lab._process_of(host.name)
        pid = process.pid() if process else None
        state = "-" if process is None else f"process {pid}" if pid else "no process"
        addresses = " ".join(f"{i.address4} {i.address6}" for i in host.interfaces[:1])
        link = f", link {lab.network.condition(host.name)}" if host.kind == "backend" else ""
        print(f"  {host.name:<8} {host.kind:<8} {host.zone:<7} {addresses:<28} {state}{link}")


def _logs(lab):
    for path in sorted(lab.run_dir.glob("logs/*")):
        print(f"==> {path} <==")
        print(path.read_text(errors="replace"), end="")


def _list():
    for path in sorted(RUN_ROOT.glob("*/services.json")):
        print(f"{path.parent.name}-")


def _replace_by(argv):
    sys.stdout.flush()
    os.execvp(argv[0], [str(word) for word in argv])


def _execute(options):
    if options.command == "list":
        return _list()
    if options.command == "start":
        lab = Lab(options.prefix, [SERVICES[name] for name in options.service or ["web"]], options.bird)
        return lab.start(phalanx=not options.no_phalanx, say=print)
    if options.command == "stop":
        return Lab(options.prefix).stop()
    lab = Lab.running(options.prefix)
    if options.command == "exec":
        if not options.words:
            raise LabError("exec in a part: name a command, such as tools/lab exec client curl -s 203.0.113.10")
        return _replace_by(lab.namespaces[options.part].argv(*options.words))
    if options.command == "phalanx":
        return _replace_by(lab.nodes[options.part].cli_argv(*options.words))
    if options.command == "revive" and options.part == "all":
        return lab.revive_all()
    actions = {"status": lambda: _status(lab), "logs": lambda: _logs(lab), "kill": lambda: lab.kill(options.part),
               "cut": lambda: lab.cut(options.part, options.how), "revive": lambda: lab.revive(options.part),
               "upgrade": lambda: lab.upgrade(options.part)}
    return actions[options.command]()


def main():
    options = _parser().parse_args()
    # SIGTERM unwinds like Ctrl-C, so that a lab half made is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        _execute(options)
    except LabError as error:
        print(f"tools/lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0

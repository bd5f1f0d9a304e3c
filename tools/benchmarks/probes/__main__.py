# SPDX-License-Identifier: Apache-2.0
"""What it costs phalanxd to check a thousand backends every second: CPU time of the whole daemon, as a share of one core.

A node and a host that answers for a thousand addresses (AnyIP: a local route for a whole prefix), in network
namespaces of their own, with nginx behind all of them.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from lab_network.binaries import PASS_OBJECT
from lab_network.command_run import run
from lab_network.namespace import Namespace
from lab_network.node import Node
from lab_network.process import Process

PREFIX = "phxb-"
BACKENDS = 1000
NGINX = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log warn;
events {{ worker_connections 8192; }}
http {{ access_log off; server {{ listen 80 backlog=4096; location / {{ return 200 "ok\\n"; }} }} }}
"""
CHECKS = {"probes.tcp.1000": {"type": "tcp"}, "probes.http.1000": {"type": "http", "path": "/healthz"}}


class Host:
    name = "node"


def address(number):
    return f"10.77.{number // 250}.{number % 250 + 1}"


def make_network(node, backends):
    for namespace in (node, backends):
        run(["ip", "netns", "add", namespace.name])
    run(["ip", "link", "add", "eth0", "netns", node.name, "type", "veth", "peer", "name", "eth0", "netns",
         backends.name])
    node.ip(["address add 10.76.0.1/24 dev eth0", "link set lo up", "link set eth0 up",
             "route add 10.77.0.0/16 via 10.76.0.2"])
    backends.ip(["address add 10.76.0.2/24 dev eth0", "link set lo up", "link set eth0 up",
                 "route add local 10.77.0.0/16 dev lo", f"link set eth0 xdp obj {PASS_OBJECT} sec xdp"])
    for namespace in (node, backends):
        namespace.run("ethtool", "-K", "eth0", "tx", "off")


def config(check):
    return {
        "node": {"name": "bench", "interfaces": ["eth0"]},
        "checks": {"check": {**check, "interval": "1s", "timeout": "500ms"}},
        "services": [{"name": "web", "vips": ["203.0.113.10"], "protocol": "tcp", "port": 80, "check": "check",
                      "backends": [{"name": f"b{n}", "address": address(n)} for n in range(BACKENDS)]}],
    }


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_all_up(node, within=20):
    deadline = time.monotonic() + within
    while True:
        up = sum(backend["state"] == "up" for backend in node.query("backends"))
        if up == BACKENDS:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"bench probes: only {up} of {BACKENDS} backends are up after {within} s")
        time.sleep(0.2)


def shares(node, rounds, round_s):
    """CPU time of the daemon as a share of one core, in percent, round by round."""
    wait_all_up(node)
    pid = node.process.pid()
    for _ in range(rounds):
        cpu, clock = cpu_seconds(pid), time.monotonic()
        time.sleep(round_s)  # the measured time itself
        yield 100 * (cpu_seconds(pid) - cpu) / (time.monotonic() - clock)
    wait_all_up(node)


def measure(node, key, rounds, round_s):
    node.write_config(config(CHECKS[key]))
    node.start()
    try:
        samples = sorted(shares(node, rounds, round_s))
    finally:
        node.process.end()
        node.cli("down")
    tenth = len(samples) // 10
    return {"value": round(statistics.median(samples), 2), "unit": "% of a core",
            "low": round(samples[tenth], 2), "high": round(samples[-1 - tenth], 2)}


def main():
    arguments = argparse.ArgumentParser(prog="tools/bench probes", description=__doc__)
    arguments.add_argument("--json", metavar="FILE")
    arguments.add_argument("--rounds", type=int, default=10)
    arguments.add_argument("--round-s", type=float, default=2)
    chosen = arguments.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="phalanx-bench-"))
    node_space, backend_space = Namespace(PREFIX + "node"), Namespace(PREFIX + "backends")
    web = Process("nginx", directory / "processes")
    figures = {}
    try:
        for name in ("bpf", "logs", "processes"):
            (directory / name).mkdir()
        run(["mount", "-t", "bpf", "bpf", directory / "bpf"])
        make_network(node_space, backend_space)
        (directory / "nginx.conf").write_text(NGINX.format(directory=directory))
        web.start(backend_space.argv("nginx", "-p", directory, "-c", directory / "nginx.conf"), directory / "nginx.out")
        node = Node(Host, node_space, directory)
        for key in CHECKS:
            figures[key] = measure(node, key, chosen.rounds, chosen.round_s)
            print(f"{key:20} {figures[key]['value']:6} {figures[key]['low']:6} .. {figures[key]['high']} % of a core",
                  flush=True)
    finally:
        web.end()
        for namespace in (node_space, backend_space):
            run(["ip", "netns", "delete", namespace.name], check=False)
        run(["umount", directory / "bpf"], check=False)
        shutil.rmtree(directory)
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""The same nodes with HAProxy in TCP mode instead of Phalanx, run as its manual says: master and worker, reloads that
hand listeners over, drains and weights by its socket. BIRD announces whatever happens.
"""

import csv
import io
import os
import signal
import socket

from lab_network import Lab
from lab_network.command_run import run
from lab_network.process import Process
from lab_network.routing import PROTOCOLS
from lab_network.services import CHECK_TIMING, VIP4, VIP6, WEB
from lab_network.topology import NODES as HOSTS
from lab_network.topology import host

from benchmarks.connections.fleet import ALL, NODES, Fleet, wait_until

_CONFIG = """\
global
  stats socket {socket} mode 600 level admin expose-fd listeners
defaults
  mode tcp
  option redispatch
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout check {timeout}
frontend web
  bind {vip4}:80
  bind [{vip6}]:80
  default_backend web
backend web
  balance roundrobin
  option httpchk GET /healthz
  default-server check inter {interval} fall {fall} rise {rise} weight 64
{servers}
"""


class HaproxyNode:
    def __init__(self, name, lab):
        self._name, self._namespace, self._bird = name, lab.namespaces[name], lab.birds[name]
        self._config = lab.run_dir / f"{name}-haproxy.conf"
        self._socket = lab.run_dir / f"{name}-haproxy.sock"
        self._log = lab.run_dir / "logs" / f"{name}-haproxy.log"
        self._process = Process(f"{name}-haproxy", lab.run_dir / "processes")

    def configure(self, backends):
        servers = "\n".join(f"  server {name} {host(name).main.address4}:80" for name in sorted(backends))
        self._config.write_text(_CONFIG.format(socket=self._socket, vip4=VIP4, vip6=VIP6, servers=servers,
                                               **CHECK_TIMING))

    def start(self):
        self._process.start(self._namespace.argv("haproxy", "-W", "-f", self._config), self._log)
        wait_until(self._answers, f"HAProxy on {self._name} answers; see {self._log}", 10)
        for protocol in PROTOCOLS:
            run(["birdc", "-s", self._bird.socket, "enable", protocol])

    def runs(self):
        return self._process.pid() is not None

    def reload(self):
        """A new worker takes the listeners; the former one goes on with its connections until they end."""
        former = self._info("Pid")
        self._process.signal(signal.SIGUSR2)
        wait_until(lambda: self._info("Pid") not in (None, former), f"HAProxy on {self._name} has a new worker", 10)

    def command(self, text):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self._socket))
            connection.sendall(f"{text}\n".encode())
            return connection.makefile().read()

    def in_use(self):
        rows = csv.DictReader(io.StringIO(self.command("show stat").lstrip("# ")))
        return {row["svname"] for row in rows if row["pxname"] == "web" and row["status"].startswith("UP")
                and row["svname"] not in ("FRONTEND", "BACKEND")}

    def kill(self):
        """Master and workers, at once."""
        for pid in self._namespace.pids():
            if "haproxy" in _command_of(pid):
                os.kill(pid, signal.SIGKILL)
        self._process.wait_gone(5)

    def _answers(self):
        return self._info("Pid") is not None

    def _info(self, key):
        try:
            lines = self.command("show info").splitlines()
        except OSError:
            return None
        return dict(line.split(": ", 1) for line in lines if ": " in line).get(key)


def _command_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return ""


class HaproxyFleet(Fleet):
    # Its process is the path of the packets: what happens to connections when it dies is known at once.
    path_outlives_daemon = False

    def __init__(self, prefix):
        super().__init__(Lab(prefix, [WEB], bird=True))
        self._nodes = {name: HaproxyNode(name, self.lab) for name in NODES}

    def start(self):
        self.lab.start(phalanx=False)
        for node in HOSTS:
            self.lab.namespaces[node.name].ip([f"address add {VIP4}/32 dev lo", f"address add {VIP6}/128 dev lo nodad"])
        for node in self._nodes.values():
            node.configure(ALL)
            node.start()
        self.lab.wait_announced(NODES)
        self.wait_in_use(ALL)

    def set_backends(self, names):
        for node in self._nodes.values():
            node.configure(names)
            if node.runs():
                node.reload()

    def drain(self, backend):
        self._say(f"set server web/{backend} state drain")

    def weigh(self, backend, percent):
        self._say(f"set server web/{backend} weight {64 * percent // 100}")

    def wait_in_use(self, names, within=15):
        wait_until(lambda: all(node.in_use() == set(names) for node in self._running()),
                   f"exactly {sorted(names)} are in use", within)

    def wait_settled(self, within=15):
        """Nothing to wait for: what HAProxy knows of connections lies in its workers."""

    def wait_flooded(self, within=30):
        """It has no table of flows that a SYN could fill."""

    def kill_node(self, name):
        self.lab.network.cut_silently(name)
        self._nodes[name].kill()
        if self.lab.birds[name].process.pid() is not None:
            self.lab.birds[name].process.kill()

    def return_node(self, name):
        self.lab.network.mend(name)
        if self.lab.birds[name].process.pid() is None:
            self.lab.birds[name].start()
        if not self._nodes[name].runs():
            self._nodes[name].start()

    def kill_daemons(self):
        for node in self._nodes.values():
            node.kill()

    def upgrade(self, name):
        self._nodes[name].reload()

    def reset(self):
        for name in NODES:
            self.return_node(name)
        for backend in ALL:
            self.lab.revive(backend)
        self.set_backends(ALL)
        self.lab.wait_announced(NODES)
        self.wait_in_use(ALL)

    def _running(self):
        return [node for node in self._nodes.values() if node.runs()]

    def _say(self, text):
        for node in self._running():
            node.command(text)

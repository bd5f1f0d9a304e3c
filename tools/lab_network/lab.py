# SPDX-License-Identifier: Apache-2.0
"""The lab: starts everything, breaks parts of it and mends them, says what answers, removes everything.

    with Lab("phx-") as lab:
        lab.kill("b1")
        lab.expect_only({"b2", "b3", "b4"}, within=0.5)

What a lab consists of lies in /run/phalanx-lab/PREFIX, so that one command may start it and another stop it.
"""

import ipaddress
import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

from lab_network import services as service_configs
from lab_network import routing, topology
from lab_network.agent import Agent
from lab_network.binaries import PASS_OBJECT
from lab_network.clients import answers
from lab_network.command_run import run
from lab_network.errors import LabError
from lab_network.interruption import held
from lab_network.network import FabricNetwork
from lab_network.node import Node
from lab_network.process import Process
from lab_network.routing import FALLBACK, PROTOCOLS, Bird
from lab_network.web_server import WebServer

RUN_ROOT = Path("/run/phalanx-lab")
DEFAULT_PREFIX = "phx-"
CUTS = ("process", "link", "drop")


class Lab:
    def __init__(self, prefix=DEFAULT_PREFIX, services=(service_configs.WEB,), bird=False, limits=None):
        """prefix: of the namespaces' names, so that several labs can live side by side.

        bird: nodes announce the VIPs to the router by BGP, each with a guard, instead of by static routes.
        limits: node.limits of every node.
        """
        if not re.fullmatch(r"[a-z][a-z0-9]{0,15}-", prefix):
            raise LabError(f"name a lab {prefix!r}: a prefix is 1 to 16 of a-z and 0-9, a letter first, and ends with -")
        self.prefix = prefix
        self.run_dir = RUN_ROOT / prefix[:-1]
        self.services = list(services)
        self.limits = limits
        self.owned = False  # this object started the lab, so it must be stopped
        self.network = FabricNetwork(prefix, PASS_OBJECT, static_vips=not bird)
        self.namespaces = self.network.namespaces
        self.nodes = {h.name: Node(h, self.namespaces[h.name], self.run_dir) for h in topology.NODES}
        self.birds = {part: Bird(part, self.namespaces[part], self.run_dir)
                      for part in (topology.ROUTER, *self.nodes)} if bird else {}
        self.web_servers = {h.name: WebServer(h, self.namespaces[h.name], self.run_dir) for h in topology.BACKENDS}
        self.agents = {h.name: Agent(h, self.namespaces[h.name], self.run_dir) for h in topology.BACKENDS}

    @classmethod
    def running(cls, prefix=DEFAULT_PREFIX):
        """The lab that another command started. LabError if there is none."""
        run_dir = RUN_ROOT / prefix[:-1]
        try:
            services = json.loads((run_dir / "services.json").read_text())
            return cls(prefix, services, bird=(run_dir / f"{topology.ROUTER}-bird.conf").exists())
        except FileNotFoundError as error:
            raise LabError(f"find the lab {prefix!r}: it does not run; tools/lab --prefix {prefix} start") from error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- start and stop

    def start(self, phalanx=True, say=lambda _: None):
        """phalanx: daemons and agents too. say: called with a line for each step. On failure nothing is left."""
        try:
            with held():
                self._claim()
                self.owned = True
            self._start(phalanx, say)
        except LabError as error:
            if not self.owned:
                raise
            logs = Path("/tmp") / f"phalanx-lab-{self.prefix}failed-start"
            self.keep_logs(logs)
            self.stop()
            raise LabError(f"{error}; the logs of all parts are kept in {logs}") from error
        except BaseException:
            if self.owned:
                self.stop()
            raise

    def _claim(self):
        try:
            RUN_ROOT.mkdir(parents=True, exist_ok=True)
            self.run_dir.mkdir()
        except FileExistsError as error:
            raise LabError(f"start the lab {self.prefix!r}: {self.run_dir} is there, so it runs or was not removed; "
                           f"tools/lab --prefix {self.prefix} stop") from error
        except PermissionError as error:
            raise LabError("start a lab: network namespaces need root; run it with sudo") from error

    def _start(self, phalanx, say):
        for name in ("logs", "processes", "bpf"):
            (self.run_dir / name).mkdir()
        (self.run_dir / "services.json").write_text(json.dumps(self.services))
        # Its own bpffs: whether the host has one mounted does not matter, and unmounting it takes every pin along.
        run(["mount", "-t", "bpf", "bpf", self.run_dir / "bpf"])
        say("network: client, router, two nodes, four backends in two racks")
        self.network.build({h.name: service_configs.backend_vips(h, self.services) for h in topology.BACKENDS})
        say("web servers: nginx on b1 b2 b3 b4")
        for server in self.web_servers.values():
            server.start()
        for server in self.web_servers.values():
            server.wait_answering()
        if self.birds:
            self.start_birds(say)
        if phalanx:
            self.start_agents(say)
            self.start_daemons(say)

    def start_birds(self, say=lambda _: None):
        say("routing: BIRD on router lb1 lb2, BGP with BFD")
        self.birds[topology.ROUTER].write_config(routing.router_config())
        for node in topology.NODES:
            self.birds[node.name].write_config(routing.node_config(node))
        for bird in self.birds.values():
            bird.start()

    def start_agents(self, say=lambda _: None):
        say("agents: phalanx-agent on b1 b2 b3 b4")
        for host in topology.BACKENDS:
            self.agents[host.name].write_config(service_configs.agent_config(host, self.services))
            self.agents[host.name].up()

    def start_daemons(self, say=lambda _: None):
        say("daemons: phalanxd on lb1 lb2")
        for node in self.nodes.values():
            node.write_config(self.node_config(node.host))
            node.start()
            if self.birds:
                node.start_guard()
        self.wait_all_up()
        if self.birds:
            self.wait_announced(self.nodes)

    def node_config(self, node):
        """What phalanxd on `node` (a topology.Host) is told at the start."""
        return service_configs.node_config(node, self.services, self.announce(node.name), self.limits)

    def announce(self, node):
        """node.announce of a node; None in a lab without BIRD."""
        if not self.birds:
            return None
        return {"bird": str(self.birds[node].socket), "protocols": PROTOCOLS, "fallback": FALLBACK, "grace": "3s",
                "withdraw_wait": "300ms"}

    def stop(self):
        """Ends every process, removes every pin, namespace and file of the lab. Safe at any time, and twice."""
        self.owned = False
        failures = []

        def attempt(what, *arguments):
            try:
                what(*arguments)
            except (LabError, OSError) as error:
                failures.append(str(error))

        for node in self.nodes.values():
            attempt(node.guard.end)
            attempt(node.process.end)
        self._end_remaining_processes(attempt)
        attempt(self.network.remove)
        if (self.run_dir / "bpf").is_mount():
            # Pins first: another mount namespace may hold a copy of this mount.
            for part in (*self.nodes, *self.agents):
                if (self.run_dir / "bpf" / part).exists():
                    attempt(shutil.rmtree, self.run_dir / "bpf" / part)
            attempt(run, ["umount", self.run_dir / "bpf"])
        if self.run_dir.exists():
            attempt(shutil.rmtree, self.run_dir)
        if RUN_ROOT.exists() and not any(RUN_ROOT.iterdir()):
            attempt(RUN_ROOT.rmdir)
        if failures:
            raise LabError(f"remove the lab {self.prefix!r}: " + "; ".join(failures))

    def _end_remaining_processes(self, attempt):
        for record in (self.run_dir / "processes").glob("*.json"):
            attempt(Process(record.stem, record.parent).end)
        # Whoever is left in a namespace of this lab belongs to it (a shell of `exec`, a capture).
        for namespace in self.namespaces.values():
            for pid in namespace.pids() if namespace.exists() else ():
                attempt(_kill_quietly, pid)

    def keep_logs(self, directory):
        """Copies logs and configurations to `directory`, which is made."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        for path in [*self.run_dir.glob("logs/*"), *self.run_dir.glob("*.json"), *self.run_dir.glob("*.conf")]:
            shutil.copy(path, directory)

    # ---- breaking and mending

    def kill(self, part):
        """SIGKILL to a backend's web server or a node's daemon. Returns the time just before (monotonic, ns)."""
        process = self._process_of(part)
        at_ns = time.monotonic_ns()
        process.kill()
        return at_ns

    def kill_node(self, name):
        """A whole node dies without a word, as by power loss: its packets vanish and all of it ends.

        Returns the time just before (monotonic, ns).
        """
        at_ns = time.monotonic_ns()
        self.network.cut_silently(name)
        for process in (self.birds[name].process, self.nodes[name].process, self.nodes[name].guard):
            if process.pid() is not None:
                process.kill()
        self.nodes[name].cli("down")  # what the kernel remembered goes with the power
        return at_ns

    def cut_node_link(self, name):
        """A node's cables are pulled. Returns the time just before (monotonic, ns)."""
        at_ns = time.monotonic_ns()
        self.network.cut_link(name)
        return at_ns

    def cut(self, backend, how="link"):
        """Breaks a backend: its web server dies, its cable is pulled, or its packets vanish.

        Returns the moment of the fault (monotonic, ns).
        """
        if backend not in self.web_servers:
            raise LabError(f"cut {backend}: only backends can be cut: {', '.join(self.web_servers)}")
        if how == "process":
            return self.kill(backend)
        {"link": self.network.cut_link, "drop": self.network.cut_silently}[how](backend)
        return time.monotonic_ns()

    def revive(self, part):
        """Undoes whatever kill, kill_node, cut or fail_check did to a part. Nothing to do if nothing was."""
        if part in self.nodes:
            return self._revive_node(part)
        self._process_of(part)  # refuses what is no backend either
        server = self.web_servers[part]
        self.network.mend(part)
        if server.process.pid() is None:
            server.start()
        for path in ("healthz", "ready"):
            server.pass_check(path)
        server.wait_answering()

    def _revive_node(self, name):
        node = self.nodes[name]
        if self.birds:
            self.network.mend(name)
            if self.birds[name].process.pid() is None:
                self.birds[name].start()
        if node.process.pid() is None:
            node.start()
        if self.birds and node.guard.pid() is None:
            node.start_guard()

    def revive_all(self):
        for part in [*self.web_servers, *self.nodes]:
            self.revive(part)

    def _process_of(self, part):
        if part in self.nodes:
            return self.nodes[part].process
        if part in self.web_servers:
            return self.web_servers[part].process
        raise LabError(f"find a process of {part}: only backends and nodes have one: "
                       f"{', '.join([*self.web_servers, *self.nodes])}")

    def upgrade(self, node):
        """A node gets another build of daemon and packet path, and with the next call the first one again."""
        if node not in self.nodes:
            raise LabError(f"upgrade {node}: only nodes have daemons: {', '.join(self.nodes)}")
        self.nodes[node].upgrade()

    # ---- waiting for what should be

    def wait_all_up(self, within=10):
        """Until every node counts every backend of every service as up."""
        self.wait_states(lambda states: set(states.values()) == {"up"}, "every backend up", within)

    def wait_states(self, accept, wanted, within):
        """Until accept({(service, backend): state}) holds on every node. wanted: says so in the error."""
        deadline = time.monotonic() + within
        for name, node in self.nodes.items():
            while not accept(states := node.backend_states()):
                if time.monotonic() > deadline:
                    seen = ", ".join(f"{s}/{b} {state}" for (s, b), state in states.items())
                    raise LabError(f"wait for {wanted} on {name}: not within {within} s; it says: {seen}")
                time.sleep(0.02)

    def wait_announced(self, names, within=20):
        """Until the router spreads the VIPs of both families over these nodes and no other."""
        deadline = time.monotonic() + within
        for family in (4, 6):
            wanted = {ipaddress.ip_address(topology.host(name).main.address(family)).compressed for name in names}
            while (seen := self.network.vip_nodes(family)) != wanted:
                if time.monotonic() > deadline:
                    raise LabError(f"wait until the router sends IPv{family} VIPs to {sorted(names)}: not within "
                                   f"{within} s; it sends them to {sorted(seen)}")
                time.sleep(0.01)

    def expect_only(self, names, within, vip=service_configs.VIP4):
        """Until 40 new connections in a row are answered by members of `names`, and by each of them."""
        deadline = time.monotonic() + within
        wanted = {names} if isinstance(names, str) else set(names)
        while (seen := set(self.answers(40, vip))) != wanted:
            if time.monotonic() > deadline:
                raise LabError(f"expect answers from {sorted(wanted)} only: within {within} s not so; last seen: "
                               f"{sorted(seen)}")

    expect_all = expect_only

    def answers(self, count, vip=service_configs.VIP4):
        """The names that answer `count` new connections of the client; an error's text where none did."""
        return answers(self.namespaces[topology.CLIENT.name], vip, count)


def _kill_quietly(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass

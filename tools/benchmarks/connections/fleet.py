# SPDX-License-Identifier: Apache-2.0
"""Two nodes behind a router's ECMP, told the same one after the other: Phalanx, with the second chance or without."""

import time

from lab_network import Lab, LabError
from lab_network.services import VIP4, VIP6, WEB
from lab_network.topology import CLIENT

WINDOW_S = 3
FLOWS = 16384  # that a node has room for: a flood that this machine can make must fill the table
# A few seconds stand for the ten minutes that a slot is tracked by default: what holds here has less time to hold.
_SERVICE = WEB | {"transition": f"{WINDOW_S}s", "settle": "500ms"}
ALL = frozenset({"b1", "b2", "b3", "b4"})
NODES = ("lb1", "lb2")


def wait_until(condition, wanted, within):
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"wait until {wanted}: not within {within} s")
        time.sleep(0.02)


class Fleet:
    """What every kind of fleet can do; `lab` has its network, web servers and BIRD."""

    vips = (VIP4, VIP6)
    path_outlives_daemon = True

    def __init__(self, lab):
        self.lab = lab

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def client(self):
        return self.lab.namespaces[CLIENT.name]

    @property
    def router(self):
        return self.lab.namespaces["router"]

    def stop(self):
        self.lab.stop()


class PhalanxFleet(Fleet):
    """agents: packets go by gue and name hops, agents give the second chance. Else by ipip, which has no hops: what
    holds then, the flow table holds."""

    def __init__(self, prefix, agents):
        service = _SERVICE | {"forward": "gue" if agents else "ipip"}
        super().__init__(Lab(prefix, [service], bird=True, limits={"flows": FLOWS}))
        self._members = {b["name"]: b for b in service["backends"]}
        self._nodes = self.lab.nodes

    def start(self):
        self.lab.start()

    def set_backends(self, names):
        for node in self._nodes.values():
            config = node.read_config()
            config["services"][0]["backends"] = [self._members[name] for name in sorted(names)]
            node.write_config(config)
            if node.process.pid() is not None:
                node.cli("reload")

    def drain(self, backend):
        self._say("drain", backend)

    def weigh(self, backend, percent):
        """Its weight, 100 being what the others have."""
        self._say("weight", backend, "config" if percent == 100 else str(percent))

    def wait_in_use(self, names, within=15):
        """Until new connections go to these backends and to no other, whichever node they come to."""
        def in_use(node):
            return {b["name"] for b in node.query("backends") if b["slots"]["primary"] > 0}
        wait_until(lambda: all(in_use(node) == set(names) for node in self._running()),
                   f"exactly {sorted(names)} are in use", within)

    def wait_settled(self, within=15):
        """Until nothing of former changes is remembered: the next trial begins with a clean table."""
        wait_until(lambda: not any(s["slots_tracked"] for n in self._running() for s in n.query("services")),
                   "no slot is tracked any more", within)

    def wait_flooded(self, within=30):
        """Until more flows were remembered on each node than it has room for."""
        wait_until(lambda: all(node.query("status")["counters"].get("remembered", 0) > FLOWS for node in self._running()),
                   f"more than {FLOWS} flows were remembered on each node", within)

    def kill_node(self, name):
        self.lab.kill_node(name)

    def return_node(self, name):
        self.lab.revive(name)

    def kill_daemons(self):
        for node in self._running():
            node.process.kill()

    def upgrade(self, name):
        self.lab.upgrade(name)

    def reset(self):
        """Everything as it was at the start, whatever a trial did."""
        self.lab.revive_all()
        for node in self._nodes.values():
            for backend in node.query("backends"):
                self._take_back(node, backend["name"], backend["override"] or "")
        self.set_backends(ALL)
        self.lab.wait_all_up()
        self.lab.wait_announced(NODES)
        self.wait_in_use(ALL)
        self.wait_settled()

    @staticmethod
    def _take_back(node, backend, override):
        if "draining" in override:
            node.cli("undrain", backend)
        if "weight" in override:
            node.cli("weight", backend, "config")

    def _running(self):
        return [node for node in self._nodes.values() if node.process.pid() is not None]

    def _say(self, *words):
        for node in self._running():
            node.cli(*words)

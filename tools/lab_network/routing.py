# SPDX-License-Identifier: Apache-2.0
"""BIRD on the lab's router and nodes: eBGP with BFD, the VIP prefixes as routes that Phalanx enables and disables."""

import time
from pathlib import Path

from lab_network import topology
from lab_network.command_run import run
from lab_network.errors import LabError
from lab_network.process import Process

# A node that falls silent is found out after this long.
BFD_INTERVAL_MS, BFD_MULTIPLIER = 50, 3
BFD_S = BFD_INTERVAL_MS * BFD_MULTIPLIER / 1000

ROUTER_AS = 65000
PROTOCOLS = ["phalanx4", "phalanx6"]
FALLBACK = ["phalanx4_worse", "phalanx6_worse"]
_VIPS = {4: topology.VIPS4, 6: topology.VIPS6}

_COMMON = """\
log stderr all;
router id {router_id};
protocol device {{ scan time 1; }}
protocol bfd {{ interface "*" {{ min rx interval {interval} ms; min tx interval {interval} ms; multiplier {multiplier}; }}; }}
template bgp peer {{
  bfd on;
  hold time 9; keepalive time 3;
  connect delay time 0; connect retry time 1; error wait time 1, 1; error forget time 1;
}}
"""
# Routes begin disabled: nothing is announced before Phalanx says so. The worse ones are the same, with a longer path.
_NODE_FAMILY = """\
protocol static phalanx{family} {{ disabled; ipv{family}; route {vips} blackhole; }}
protocol static phalanx{family}_worse {{ disabled; ipv{family} {{ preference 150; }}; route {vips} blackhole; }}
protocol bgp upstream{family} from peer {{
  local {own} as {own_as};
  neighbor {peer} as {peer_as};
  ipv{family} {{
    import none;
    export filter {{
      if proto = "phalanx{family}" then accept;
      if proto = "phalanx{family}_worse" then {{ bgp_path.prepend({own_as}); bgp_path.prepend({own_as}); accept; }}
      reject;
    }};
  }};
}}
"""
_ROUTER_FAMILY = """\
protocol kernel kernel{family} {{ merge paths on limit 16; ipv{family} {{ import none; export where source = RTS_BGP; }}; }}
"""
_ROUTER_PEER = """\
protocol bgp {name}_{family} from peer {{
  local {own} as {own_as};
  neighbor {peer} as {peer_as};
  ipv{family} {{ import where net = {vips}; export none; }};
}}
"""


def _node_as(node):
    return ROUTER_AS + node.main.host


def _common(router_id):
    return _COMMON.format(router_id=router_id, interval=BFD_INTERVAL_MS, multiplier=BFD_MULTIPLIER)


def node_config(node):
    """BIRD's configuration on `node` (a topology.Host)."""
    network = node.main.network
    gateway = {4: network.address4(1), 6: network.address6(1)}
    return _common(node.main.address4) + "".join(
        _NODE_FAMILY.format(family=family, vips=_VIPS[family], own=node.main.address(family), own_as=_node_as(node),
                            peer=gateway[family], peer_as=ROUTER_AS) for family in (4, 6))


def router_config():
    front = topology.FRONT
    own = {4: front.address4(1), 6: front.address6(1)}
    text = _common(own[4])
    for family in (4, 6):
        text += _ROUTER_FAMILY.format(family=family)
        text += "".join(_ROUTER_PEER.format(name=node.name, family=family, own=own[family], own_as=ROUTER_AS,
                                            peer=node.main.address(family), peer_as=_node_as(node),
                                            vips=_VIPS[family]) for node in topology.NODES)
    return text


class Bird:
    """BIRD in one part of the lab."""

    def __init__(self, part, namespace, run_dir):
        self.part = part
        self._namespace = namespace
        self._config = Path(run_dir) / f"{part}-bird.conf"
        self._log = Path(run_dir) / "logs" / f"{part}-bird.log"
        self.socket = Path(run_dir) / f"{part}-bird.ctl"
        self.process = Process(f"{part}-bird", Path(run_dir) / "processes")

    def write_config(self, text):
        self._config.write_text(text)

    def start(self):
        """Starts BIRD and waits until it answers on its control socket."""
        # BFD's deadlines hold on a busy machine too: in real time, as operators run it.
        self.process.start(self._namespace.argv("chrt", "--rr", "1", "bird", "-f", "-c", self._config, "-s", self.socket), self._log)
        deadline = time.monotonic() + 10
        while run(["birdc", "-s", self.socket, "show", "status"], check=False).returncode != 0:
            if self.process.pid() is None:
                raise LabError(f"start BIRD on {self.part}: it ended; see {self._log}")
            if time.monotonic() > deadline:
                raise LabError(f"start BIRD on {self.part}: no answer within 10 s; see {self._log}")
            time.sleep(0.02)

    def is_enabled(self, protocol):
        """Whether `protocol` is up, as BIRD says."""
        said = run(["birdc", "-s", self.socket, "show", "protocols", protocol]).stdout
        return any(line.split()[:1] == [protocol] and line.split()[3] == "up" for line in said.splitlines())

# SPDX-License-Identifier: Apache-2.0
"""SYNs from a million sources, by trafgen in the client's namespace: bounded in count and rate."""

import ipaddress
import json
import os
import re
import subprocess
import tempfile

from lab_network import topology
from lab_network.errors import LabError

from benchmarks.connections.fleet import wait_until

SOURCES = 1_000_000
PACKETS_A_SECOND = 40_000
# Beyond what the rate says, for a busy machine.
PATIENCE_S = 60
# Sources of 198.18.0.0/15, which the lab's client swallows; any port: a million different flows, nearly.
_PACKET = """\
{{
  eth(sa={source_mac}, da={gateway_mac}),
  ipv4(sa=drnd({first}, {last}), da={vip}, ttl=64, df),
  tcp(sp=drnd(1024, 65535), dp=80, seq=drnd(), win=64240, syn)
}}
"""


def _mac(namespace, interface):
    return json.loads(namespace.run("ip", "-j", "link", "show", "dev", interface).stdout)[0]["address"]


class Flood:
    """Runs from entering the block until its count is sent, at the latest until the block is left."""

    def __init__(self, fleet, seed):
        self._client, self._seed = fleet.client, seed
        interface = topology.CLIENT.main
        sources = ipaddress.ip_network(topology.STRANGERS4)
        self._device = interface.name
        self._text = _PACKET.format(source_mac=_mac(fleet.client, interface.name),
                                    gateway_mac=_mac(fleet.router, interface.port), vip=fleet.vips[0],
                                    first=int(sources[1]), last=int(sources[-2]))
        self._process = None

    def __enter__(self):
        with tempfile.NamedTemporaryFile("w", suffix=".trafgen", delete=False) as file:
            file.write(self._text)
        self._path = file.name
        self._sent_before = self._sent()
        argv = self._client.argv("trafgen", "--conf", self._path, "--out", self._device, "--num", SOURCES, "--rate",
                                 f"{PACKETS_A_SECOND}pps", "--cpus", "1", "--seed", self._seed,
                                 "--notouch-irq", "--no-sock-mem", "--no-cpu-stats")
        self._process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        os.unlink(self._path)

    def wait_flowing(self, packets=100_000):
        wait_until(lambda: self._sent() - self._sent_before >= packets or self._process.poll() is not None,
                   f"the flood has sent {packets} packets", PATIENCE_S)

    def wait_done(self):
        """Until all of it is sent. LabError if it was not."""
        try:
            said, complaint = self._process.communicate(timeout=SOURCES / PACKETS_A_SECOND + PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"flood: {self._sent() - self._sent_before} of {SOURCES} packets are sent") from error
        sent = re.search(r"(\d+) packets outgoing", said)
        if self._process.returncode != 0 or sent is None or int(sent[1]) < SOURCES:
            raise LabError(f"flood: trafgen sent {sent and sent[1]} of {SOURCES} packets: {complaint.strip()[-300:]}")

    def _sent(self):
        done = self._client.run("ip", "-j", "-s", "link", "show", "dev", self._device)
        return json.loads(done.stdout)[0]["stats64"]["tx"]["packets"]

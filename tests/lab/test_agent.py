# SPDX-License-Identifier: Apache-2.0
"""What phalanx-agent says of a backend: what is wrong with the host, and which connections live there."""

import contextlib
import socket
import time

from lab_network import topology
from lab_network.services import VIP4, VIP6

B1 = topology.host("b1")


def test_status_finds_nothing_wrong_with_the_labs_backends(lab):
    for name, agent in lab.agents.items():
        assert agent.status()["warnings"] == [], name


def test_status_names_each_trap_and_the_cure_it_names_helps(lab):
    agent, host, interface = lab.agents["b1"], lab.namespaces["b1"], B1.main.name
    vip = lab.agents["b1"].status()["vips"][-1]
    width = 128 if ":" in vip else 32
    traps = {
        f"the MTU of {interface} is 1500":
            (("ip", "link", "set", interface, "mtu", "1500"),
             ("ip", "link", "set", interface, "mtu", str(topology.FABRIC_MTU))),
        f'"ip address add {vip}/{width} dev lo"':
            (("ip", "address", "del", f"{vip}/{width}", "dev", "lo"),
             ("ip", "address", "add", f"{vip}/{width}", "dev", "lo", "nodad")),
        f"rp_filter is loose on {interface}, and there is no default route":
            (("sh", "-c", f"sysctl -qw net.ipv4.conf.{interface}.rp_filter=2 && ip route save default > "
              f"{lab.run_dir}/default && ip route flush default"),
             ("sh", "-c", f"sysctl -qw net.ipv4.conf.{interface}.rp_filter=0 && ip route restore < "
              f"{lab.run_dir}/default")),
    }
    for sentence, (set_trap, cure) in traps.items():
        host.run(*set_trap)
        try:
            warnings = agent.status()["warnings"]
            said = agent.up()
        finally:
            host.run(*cure)
        assert len(warnings) == 1 and sentence in warnings[0], f"{sentence}: {warnings}"
        assert f"phalanx-agent: warning: {warnings[0]}" in said
        assert agent.status()["warnings"] == []


def test_status_counts_the_connections_that_live(lab):
    with contextlib.ExitStack() as open_ones:
        for vip in (VIP4, VIP4, VIP4, VIP4, VIP6, VIP6):
            with lab.namespaces[topology.CLIENT.name].entered():
                open_ones.enter_context(socket.create_connection((vip, 80), timeout=3))
        _wait_for(lambda: (_live(lab, VIP4), _live(lab, VIP6)) == (4, 2), "four connections and two")
    _wait_for(lambda: (_live(lab, VIP4), _live(lab, VIP6)) == (0, 0), "none when their clients are gone")


def _live(lab, vip):
    return sum(row["established"] for agent in lab.agents.values() for row in agent.status()["connections"]
               if (row["vip"], row["port"]) == (vip, 80))


def _wait_for(condition, what, within=5):
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.02)

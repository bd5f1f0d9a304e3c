# SPDX-License-Identifier: Apache-2.0
"""Makes and removes the namespaces, links, addresses and routes of a lab; cuts links and mends them."""

import json

from lab_network import topology
from lab_network.command_run import run
from lab_network.errors import LabError
from lab_network.namespace import Namespace

# Before any link exists, so that all inherit them.
_EVERYWHERE = {
    "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.default.rp_filter": 0,
    "net.ipv4.conf.all.send_redirects": 0, "net.ipv4.conf.default.send_redirects": 0,
    "net.ipv6.conf.all.accept_dad": 0, "net.ipv6.conf.default.accept_dad": 0,
    "net.ipv6.conf.default.dad_transmits": 0,
    "net.ipv6.conf.all.accept_ra": 0, "net.ipv6.conf.default.accept_ra": 0,
    "net.ipv6.conf.default.router_solicitations": 0,
}
_ROUTER = {
    "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1,
    # By 5-tuple, so that both nodes get connections of one client.
    "net.ipv4.fib_multipath_hash_policy": 1, "net.ipv6.fib_multipath_hash_policy": 1,
}
_NODE = {
    # What nat backends send to others than the VIPs' clients passes through, and so do their answers of other ports.
    "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1,
}
_BACKEND = {
    # A packet that it does not know is sent on to another backend by the host's own routes.
    "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1,
    # A VIP on lo must not be announced on the rack: the nodes own it there.
    "net.ipv4.conf.all.arp_ignore": 1, "net.ipv4.conf.all.arp_announce": 2,
    # Crafted SYNs leave half-open connections; they must not outlive the test that sent them.
    "net.ipv4.tcp_synack_retries": 1, "net.core.somaxconn": 4096, "net.ipv4.tcp_max_syn_backlog": 4096,
}


class FabricNetwork:
    def __init__(self, prefix, pass_object, static_vips=True):
        """prefix: of every namespace's name. pass_object: path of the compiled lab_pass program.

        static_vips: the router knows the VIPs' way over both nodes by itself, and not from a routing protocol.
        """
        self._static_vips = static_vips
        self.namespaces = {part: Namespace(prefix + part) for part in topology.PARTS}
        self._pass_object = pass_object

    def build(self, backend_vips):
        """backend_vips: backend name -> addresses that it serves (on lo)."""
        run(["ip", "-batch", "-"], stdin="".join(f"netns add {n.name}\n" for n in self.namespaces.values()))
        for part, namespace in self.namespaces.items():
            namespace.sysctl(_EVERYWHERE | self._sysctl_of(part))
        self._add_links()
        self._configure_router()
        for host in topology.HOSTS:
            self._configure_host(host, backend_vips.get(host.name, ()))
        self._disable_offloads()
        self._attach_pass()

    def remove(self):
        for namespace in self.namespaces.values():
            if namespace.exists():
                run(["ip", "netns", "delete", namespace.name], check=False)

    def cut_link(self, part):
        """The cables of a host are pulled: it sees its carrier go."""
        self._router([f"link set dev {port} down" for port in self._ports(part)])

    def cut_silently(self, part):
        """The switch drops everything in both directions; the host notices nothing."""
        for port in self._ports(part):
            self._port_state(port, "disabled")

    def mend(self, part):
        self._router([f"link set dev {port} up" for port in self._ports(part)])
        for port in self._ports(part):
            self._port_state(port, "forwarding")

    def vip_nodes(self, family):
        """Addresses of the nodes over which the router spreads the VIPs now."""
        prefix = topology.VIPS4 if family == 4 else topology.VIPS6
        said = run(["ip", f"-{family}", "-j", "-n", self.namespaces[topology.ROUTER].name, "route", "show", prefix])
        hops = set()
        for route in json.loads(said.stdout or "[]"):
            for hop in route.get("nexthops", [route]):
                hops.add(hop.get("gateway"))
        return hops

    def condition(self, backend):
        """How its link is: "whole", "cable pulled" or "drops everything"."""
        router = self.namespaces[topology.ROUTER].name
        main = topology.host(backend).main.port
        port = json.loads(run(["bridge", "-n", router, "-j", "link", "show", "dev", main]).stdout)[0]
        if "UP" not in port["flags"]:
            return "cable pulled"
        return "whole" if port["state"] == "forwarding" else "drops everything"

    @staticmethod
    def _sysctl_of(part):
        if part == topology.ROUTER:
            return _ROUTER
        return {"node": _NODE, "backend": _BACKEND}.get(topology.host(part).kind, {})

    @staticmethod
    def _ports(part):
        return [interface.port for interface in topology.host(part).interfaces]

    def _router(self, lines):
        self.namespaces[topology.ROUTER].ip(lines)

    def _port_state(self, port, state):
        router = self.namespaces[topology.ROUTER].name
        run(["bridge", "-n", router, "link", "set", "dev", port,
             "state", str({"disabled": 0, "forwarding": 3}[state])])

    def _add_links(self):
        router = self.namespaces[topology.ROUTER].name
        lines = []
        for host in topology.HOSTS:
            for interface in host.interfaces:
                # One queue: native XDP on veth wants no more queues at the peer than here.
                shape = f"mtu {interface.network.mtu} numrxqueues 1 numtxqueues 1"
                lines.append(f"link add name {interface.name} netns {self.namespaces[host.name].name} {shape} "
                             f"type veth peer name {interface.port} netns {router} {shape}")
        run(["ip", "-batch", "-"], stdin="\n".join(lines) + "\n")

    def _configure_router(self):
        lines = ["link set dev lo up"]
        for bridge in topology.BRIDGES:
            lines += [f"link add name {bridge.name} mtu {bridge.mtu} type bridge forward_delay 0 stp_state 0 "
                      "mcast_snooping 0",
                      f"link set dev {bridge.name} mtu {bridge.mtu} up",
                      f"address add {bridge.address4(1)}/24 dev {bridge.name}",
                      f"address add {bridge.address6(1)}/64 dev {bridge.name} nodad"]
        for host in topology.HOSTS:
            for interface in host.interfaces:
                if interface.network in topology.BRIDGES:
                    lines.append(f"link set dev {interface.port} master {interface.network.name}")
                lines.append(f"link set dev {interface.port} up")
        client = topology.CLIENT.main
        lines += [f"address add {client.network.address4(1)}/24 dev {client.port}",
                  f"address add {client.network.address6(1)}/64 dev {client.port} nodad",
                  f"route add {topology.STRANGERS4} via {client.address4}",
                  f"route add {topology.STRANGERS6} via {client.address6}"]
        if self._static_vips:
            for family, vips in ((4, topology.VIPS4), (6, topology.VIPS6)):
                lines.append(f"route add {vips} "
                             + " ".join(f"nexthop via {node.main.address(family)}" for node in topology.NODES))
        self._router(lines)
        self._route_backends_through_nodes()

    def _route_backends_through_nodes(self):
        """What a backend sends in its own name to somebody outside goes through the nodes, over both: nat's way back.

        Answers of the modes that keep the VIP go straight to the client: their source is not the backend's.
        """
        for family in (4, 6):
            lines = [f"rule add pref 100 to {topology.INSIDE[family]} lookup main"]
            for rack in (topology.RACK1, topology.RACK2):
                lines.append(f"rule add pref 200 from {rack.prefix(family)} iif {rack.name} lookup 200")
            hops = " ".join(f"nexthop via {node.main.address(family)}" for node in topology.NODES)
            lines.append(f"route add default table 200 {hops}")
            self.namespaces[topology.ROUTER].ip(lines, family)

    def _configure_host(self, host, vips):
        lines = ["link set dev lo up"]
        for interface in host.interfaces:
            lines += [f"link set dev {interface.name} up",
                      f"address add {interface.address4}/24 dev {interface.name}",
                      f"address add {interface.address6}/64 dev {interface.name} nodad"]
        gateway = host.main.network
        lines += [f"route add default via {gateway.address4(1)}", f"route add default via {gateway.address6(1)}"]
        if host.kind == "node":
            # It forwards, so what it does not serve of a VIP must not go round and round.
            lines += [f"route add blackhole {topology.VIPS4}", f"route add blackhole {topology.VIPS6}"]
        for vip in vips:
            lines.append(f"address add {vip}/128 dev lo nodad" if ":" in vip else f"address add {vip}/32 dev lo")
        self.namespaces[host.name].ip(lines)

    def _disable_offloads(self):
        """XDP sees what the sender's kernel wrote: an offloaded checksum would be a wrong one on the wire."""
        for host in topology.HOSTS:
            for interface in host.interfaces:
                self.namespaces[host.name].run("ethtool", "-K", interface.name, "tx", "off")
                self.namespaces[topology.ROUTER].run("ethtool", "-K", interface.port, "tx", "off")

    def _attach_pass(self):
        for host in topology.NODES + topology.BACKENDS:
            for interface in host.interfaces:
                try:
                    self._router([f"link set dev {interface.port} xdpdrv object {self._pass_object} section xdp"])
                except LabError as error:
                    raise LabError(f"attach XDP to the router's port {interface.port}: {error}") from error
